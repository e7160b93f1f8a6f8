//! Archives as results: on standard output, which must be no terminal, because a container may have put anything in
//! them.

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::{BoxStream, Result};
use crate::host::terminal;

/// Refuses to write to a terminal.
pub fn no_terminal(text: &str) -> std::result::Result<(), Failure> {
    if terminal::stdout_is_terminal() {
        return Err(Failure::new(Exit::Failed, text).hint("redirect standard output to a file or a program"));
    }
    Ok(())
}

/// Writes all of it, a piece at a time, until nobody reads it any more.
pub async fn to_stdout(context: &Context, mut archive: BoxStream<Result<Bytes>>) -> anyhow::Result<Exit> {
    context.sink.flush();
    let mut out = terminal::stdout();
    while let Some(piece) = archive.next().await {
        if out.write_all(&piece?).await.is_err() {
            return Ok(Exit::ReaderGone);
        }
    }
    match out.flush().await {
        Ok(()) => Ok(Exit::Ok),
        Err(_) => Ok(Exit::ReaderGone),
    }
}
