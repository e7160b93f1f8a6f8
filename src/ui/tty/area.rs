//! The lines at the bottom of the terminal, and how to take them away again.

use console::{Term, measure_text_width};

/// Rows and columns.
pub(in crate::ui) type Size = (usize, usize);

/// What is drawn, and where.
pub(in crate::ui) struct Area {
    size: Box<dyn Fn() -> Size + Send>,
    lines: Vec<String>,
}

impl Area {
    /// On the terminal of standard error.
    pub fn stderr() -> Self {
        let term = Term::stderr();
        Self::new(move || {
            let (rows, columns) = term.size();
            (usize::from(rows), usize::from(columns))
        })
    }

    /// On a terminal of this size.
    pub fn new(size: impl Fn() -> Size + Send + 'static) -> Self {
        Self { size: Box::new(size), lines: Vec::new() }
    }

    /// Rows and columns of the terminal now.
    pub fn size(&self) -> Size {
        (self.size)()
    }

    /// What is drawn now.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// What takes the area away: the cursor is at the start of the line below it.
    pub fn erase(&mut self) -> String {
        let lines = std::mem::take(&mut self.lines);
        let columns = self.size().1.max(1);
        // A terminal that has become narrower since has broken the lines up.
        let rows: usize = lines.iter().map(|line| measure_text_width(line).div_ceil(columns).max(1)).sum();
        if rows == 0 { String::new() } else { format!("\r\u{1b}[{rows}A\u{1b}[J") }
    }

    /// What draws these lines; they must be narrower than the terminal.
    pub fn draw(&mut self, lines: Vec<String>) -> String {
        let text = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        self.lines = lines;
        text
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_terminal_that_became_narrower_is_cleaned_of_every_row() {
        let columns = Arc::new(AtomicUsize::new(40));
        let mut area = Area::new({
            let columns = Arc::clone(&columns);
            move || (24, columns.load(Ordering::Relaxed))
        });
        assert_eq!(area.erase(), "", "nothing is drawn");
        let lines = || vec!["x".repeat(30), String::new(), "\u{1b}[31mred\u{1b}[0m".to_owned()];
        area.draw(lines());
        assert_eq!(area.erase(), "\r\u{1b}[3A\u{1b}[J");
        area.draw(lines());
        columns.store(14, Ordering::Relaxed);
        assert_eq!(area.erase(), "\r\u{1b}[5A\u{1b}[J");
        assert_eq!(area.erase(), "", "it is gone");
    }
}
