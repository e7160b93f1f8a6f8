//! The live area as bars of `indicatif`, which knows how to draw them, and how to take them away again.
//!
//! Invariants: bars change and are drawn in `draw` and nowhere else (no bar ticks by itself), and what `indicatif`
//! writes is collected by the [`Canvas`], so that a batch of text and the area around it reach the terminal in one
//! piece.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// Rows and columns.
pub(in crate::ui) type Size = (usize, usize);

/// Columns that a bar takes, with the space after it.
pub(super) const BAR: usize = 21;

/// Columns that a spinner takes, with the space after it.
pub(super) const SPINNER: usize = 2;

/// One line of the area. It must be narrower than the terminal, with its spinner and its bar.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub spinner: bool,
    pub text: String,
    /// How much is done, and of how much: a bar after the text.
    pub progress: Option<(u64, u64)>,
    /// What comes after the bar.
    pub after: String,
}

/// The bars, and what was last drawn.
pub(in crate::ui) struct Bars {
    canvas: Canvas,
    multi: MultiProgress,
    drawn: Vec<ProgressBar>,
    /// With and without a spinner.
    styles: [ProgressStyle; 2],
    /// The same with a bar.
    with_bar: [ProgressStyle; 2],
    shown: Vec<Line>,
    frame: u128,
    /// The picture that spinners show, of how many.
    step: usize,
    steps: usize,
    columns: usize,
}

impl Bars {
    /// On the terminal of standard error.
    pub fn stderr(utf8: bool) -> Self {
        let term = Term::stderr();
        let size = move || {
            let (rows, columns) = term.size();
            (usize::from(rows), usize::from(columns))
        };
        Self::new(utf8, size)
    }

    /// On a terminal of this size.
    pub fn new(utf8: bool, size: impl Fn() -> Size + Send + Sync + 'static) -> Self {
        let canvas = Canvas { size: Arc::new(size), text: Arc::default() };
        // The last one is for bars that have ended; here they are taken away instead.
        let (ticks, bar) = if utf8 { ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ", "━╸─") } else { ("|/-\\ ", "=>-") };
        let style = |template: &str| {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
            style.tick_chars(ticks).progress_chars(bar)
        };
        Self {
            multi: MultiProgress::with_draw_target(canvas.target()),
            drawn: Vec::new(),
            styles: ["{spinner} {prefix}{msg}", "{prefix}{msg}"].map(style),
            with_bar: ["{spinner} {prefix}{bar:20} {msg}", "{prefix}{bar:20} {msg}"].map(style),
            shown: Vec::new(),
            frame: 0,
            step: 0,
            steps: ticks.chars().count() - 1,
            columns: 0,
            canvas,
        }
    }

    /// Rows and columns of the terminal now.
    pub fn size(&self) -> Size {
        (self.canvas.size)()
    }

    /// Whether these lines in this frame would look different from what is drawn.
    pub(super) fn differ(&self, lines: &[Line], frame: u128) -> bool {
        self.shown != lines || (self.frame != frame && lines.iter().any(|line| line.spinner))
    }

    /// What takes away the area that is drawn, and what draws these lines in its place. Spinners go on by one step in
    /// each new frame.
    pub(super) fn draw(&mut self, lines: Vec<Line>, frame: u128) -> (String, String) {
        self.narrowed();
        while self.drawn.len() > lines.len() {
            if let Some(bar) = self.drawn.pop() {
                self.multi.remove(&bar);
            }
        }
        while self.drawn.len() < lines.len() {
            let bar = self.multi.add(ProgressBar::no_length());
            // All spinners show the same.
            (0..self.step).for_each(|_| bar.tick());
            self.drawn.push(bar);
        }
        let tick = frame != self.frame;
        for (bar, line) in self.drawn.iter().zip(&lines) {
            let styles = if line.progress.is_some() { &self.with_bar } else { &self.styles };
            bar.set_style(styles[usize::from(!line.spinner)].clone());
            if let Some((done, all)) = line.progress {
                bar.set_length(all);
                // `set_position` would tick.
                let _ = bar.clone().with_position(done);
            }
            // These write at most now and then, see `Canvas::target`; what counts is that each bar renders itself.
            bar.set_prefix(line.text.clone());
            bar.set_message(line.after.clone());
            if tick {
                bar.tick();
            }
        }
        self.step = (self.step + usize::from(tick)) % self.steps;
        let erase = self.multi.suspend(|| self.canvas.take());
        let mut draw = self.canvas.take();
        if !lines.is_empty() {
            // What a person types, such as Ctrl-C, is echoed here, and must not break into a new line.
            draw.push('\r');
        }
        (self.shown, self.frame, self.columns) = (lines, frame, self.size().1);
        (erase, draw)
    }

    /// A terminal that has become narrower has broken up the lines, each of which filled the whole width, and
    /// `indicatif` does not know: they are taken away here.
    fn narrowed(&mut self) {
        let columns = self.size().1.max(1);
        if self.shown.is_empty() || columns >= self.columns {
            return;
        }
        let rows = (self.shown.len() - 1) * self.columns.div_ceil(columns);
        self.canvas.step(rows, 'A');
        self.canvas.push("\r\u{1b}[J");
        self.multi.set_draw_target(self.canvas.target());
    }
}

/// What `indicatif` takes for a terminal: keeps what is written to it until it is taken.
#[derive(Clone)]
struct Canvas {
    size: Arc<dyn Fn() -> Size + Send + Sync>,
    text: Arc<Mutex<String>>,
}

impl Canvas {
    /// Once in a second a bar that changes may draw all of them; else only `suspend` does, once for all changes.
    fn target(&self) -> ProgressDrawTarget {
        ProgressDrawTarget::term_like_with_hz(Box::new(self.clone()), 1)
    }

    fn take(&self) -> String {
        std::mem::take(&mut self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, text: &str) {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// Moves the cursor, `direction` being a letter of ECMA-48. Zero would be read as one.
    fn step(&self, count: usize, direction: char) {
        if count > 0 {
            self.push(&format!("\u{1b}[{count}{direction}"));
        }
    }
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canvas").finish_non_exhaustive()
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        u16::try_from((self.size)().1).unwrap_or(u16::MAX)
    }
    fn height(&self) -> u16 {
        u16::try_from((self.size)().0).unwrap_or(u16::MAX)
    }
    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.step(n, 'A');
        Ok(())
    }
    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.step(n, 'B');
        Ok(())
    }
    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.step(n, 'C');
        Ok(())
    }
    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.step(n, 'D');
        Ok(())
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.push(s);
        self.push("\n");
        Ok(())
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        self.push(s);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        self.push("\r\u{1b}[2K");
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn lines(count: usize) -> Vec<Line> {
        (0..count).map(|number| Line { text: format!("line {number}"), ..Line::default() }).collect()
    }

    fn plain(count: usize, columns: usize) -> String {
        lines(count).iter().map(|line| format!("{:columns$}", line.text)).collect::<Vec<_>>().concat()
    }

    #[test]
    fn a_batch_is_drawn_once_and_a_narrower_terminal_is_cleaned() {
        let columns = Arc::new(AtomicUsize::new(40));
        let mut bars = Bars::new(true, {
            let columns = Arc::clone(&columns);
            move || (24, columns.load(Ordering::Relaxed))
        });
        // However busy the bars are, they draw by themselves no more than now and then.
        for frame in 1..60 {
            bars.draw(lines(3), frame);
        }
        let (erase, draw) = bars.draw(lines(3), 60);
        let gone = "\u{1b}[2A\r\u{1b}[2K\u{1b}[1B\r\u{1b}[2K\u{1b}[1B\r\u{1b}[2K\u{1b}[2A";
        assert!(erase.ends_with(gone), "{erase:?}");
        assert_eq!(draw, plain(3, 40) + "\r");

        columns.store(14, Ordering::Relaxed);
        let (erase, draw) = bars.draw(lines(2), 60);
        assert_eq!(erase.split_once('J').map(|(first, _)| first), Some("\u{1b}[6A\r\u{1b}["), "{erase:?}");
        assert!(draw.ends_with(&(plain(2, 14) + "\r")), "{draw:?}");
        let (_, draw) = bars.draw(Vec::new(), 61);
        assert_eq!(draw, "", "it is gone");
    }

    #[test]
    fn only_what_looks_different_is_drawn_again() {
        let mut bars = Bars::new(true, || (24, 40));
        let spinning = || vec![Line { spinner: true, ..Line::default() }];
        assert!(bars.differ(&lines(1), 0));
        bars.draw(lines(1), 0);
        assert!(!bars.differ(&lines(1), 1), "nothing moves");
        bars.draw(spinning(), 1);
        assert!(!bars.differ(&spinning(), 1) && bars.differ(&spinning(), 2));
    }
}
