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
