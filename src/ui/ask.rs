//! Questions, where there is a person to answer.

use std::io::{self, BufRead, IsTerminal, Write};

use crate::event::Sink;

use super::clean::clean;

/// Asks a question that is answered with yes or no; anything but a yes is a no. `None` where there is no terminal to
/// ask on. Everything that was said before stands above the question.
pub fn confirm(sink: &dyn Sink, question: &str) -> io::Result<Option<bool>> {
    sink.flush();
    let (stdin, mut stderr) = (io::stdin(), io::stderr());
    if !stdin.is_terminal() || !stderr.is_terminal() {
        return Ok(None);
    }
    ask(&mut stdin.lock(), &mut stderr, question).map(Some)
}

fn ask(input: &mut impl BufRead, output: &mut impl Write, question: &str) -> io::Result<bool> {
    write!(output, "{} [y/N] ", clean(question, false))?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        let cases =
            [("y\n", true), ("Yes\r\n", true), ("n\n", false), ("\n", false), ("", false), ("yesterday\n", false)];
        for (answer, want) in cases {
            let mut asked = Vec::new();
            assert_eq!(
                ask(&mut answer.as_bytes(), &mut asked, "Remove\x1b[2J 2 containers?").unwrap(),
                want,
                "{answer:?}"
            );
            assert_eq!(asked, b"Remove 2 containers? [y/N] ");
        }
    }
}
