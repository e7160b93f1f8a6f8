//! Bytes between a task and a thread, so many at a time.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Pieces on their way.
const PIECES: usize = 8;
/// The size of one.
const PIECE: usize = 64 * 1024;

/// What a thread writes, for a task. Ends with [`Writer::finish`]; without it the stream fails.
#[derive(Debug)]
pub struct Writer {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: BytesMut,
}

/// A way from a thread to a task.
pub fn pieces() -> (Writer, ReceiverStream<io::Result<Bytes>>) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (Writer { sender, piece: BytesMut::with_capacity(PIECE) }, ReceiverStream::new(receiver))
}

impl Writer {
    fn send(&self, piece: io::Result<Bytes>) -> io::Result<()> {
        self.sender.blocking_send(piece).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Hands over how the work ended: what is left, or the failure, which breaks the stream off.
    pub fn finish(mut self, result: &io::Result<()>) {
        let last = match result {
            Ok(()) => Ok(self.piece.split().freeze()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Nobody to take it is nobody to tell.
        let _ = self.send(last);
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE {
            let piece = self.piece.split().freeze();
            self.send(Ok(piece))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a task sends, for a thread.
#[derive(Debug)]
pub struct Reader {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

/// A way from a task to a thread.
pub fn reader() -> (mpsc::Sender<io::Result<Bytes>>, Reader) {
    let (sender, receiver) = mpsc::channel(PIECES);
    (sender, Reader { receiver, piece: Bytes::new() })
}

/// Sends all of a stream, until it ends or nobody takes it any more.
pub async fn feed<E: std::fmt::Display>(
    bytes: impl Stream<Item = Result<Bytes, E>>,
    sender: mpsc::Sender<io::Result<Bytes>>,
) -> Result<(), E> {
    let mut bytes = std::pin::pin!(bytes);
    while let Some(piece) = bytes.next().await {
        match piece {
            Ok(piece) => {
                if sender.send(Ok(piece)).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => {
                let _ = sender.send(Err(io::Error::other(error.to_string()))).await;
                return Err(error);
            }
        }
    }
    Ok(())
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_so_do_failures() {
        let (mut writer, pieces) = pieces();
        let text = "0123456789".repeat(100_000);
        let sent = text.clone();
        let work = std::thread::spawn(move || {
            let result = writer.write_all(sent.as_bytes());
            writer.finish(&result);
        });
        let (sender, mut read) = reader();
        let reading = std::thread::spawn(move || {
            let mut all = String::new();
            read.read_to_string(&mut all).map(|_| all)
        });
        feed(pieces, sender).await.unwrap();
        assert!(reading.join().unwrap().unwrap() == text);
        work.join().unwrap();

        let (writer, pieces) = super::pieces();
        std::thread::spawn(move || writer.finish(&Err(io::Error::other("bad disk"))));
        let (sender, mut read) = reader();
        let reading = std::thread::spawn(move || read.read(&mut [0]).unwrap_err().to_string());
        assert_eq!(feed(pieces, sender).await.unwrap_err().to_string(), "bad disk");
        assert_eq!(reading.join().unwrap(), "bad disk");
    }

    #[tokio::test]
    async fn who_writes_hears_that_nobody_reads() {
        let (mut writer, pieces) = pieces();
        drop(pieces);
        let written = tokio::task::spawn_blocking(move || writer.write_all(&[0; PIECE])).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
