//! How things are to be shown: what was asked for, what the surroundings allow, and what comes of both.

use std::fmt;
use std::io::{IsTerminal, stderr, stdout};
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

/// How to show progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Progress {
    /// `tty` where standard error is a terminal, else `plain`
    #[default]
    Auto,
    /// Live on a terminal
    Tty,
    /// One line for each change
    Plain,
    /// One JSON object per line on standard output
    Json,
    /// Errors and results only
    Quiet,
}

/// When to use colours and cursor movement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Ansi {
    /// Never
    Never,
    /// Always
    Always,
    /// On a terminal, and as `NO_COLOR` and `CLICOLOR_FORCE` say
    #[default]
    Auto,
}

/// Whose words are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// hob's own.
    #[default]
    Hob,
    /// Docker Compose's, which scripts read.
    Compose,
}

/// What was asked for.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct Options {
    /// Whose words are used.
    pub wording: Wording,
    /// How to show progress.
    pub progress: Progress,
    /// When to use colours.
    pub ansi: Ansi,
    /// The container's name before each line of its log.
    pub log_prefix: bool,
    /// The prefix in colour, where colours are used at all.
    pub log_color: bool,
    /// Where the time of each reload went.
    pub timings: bool,
    /// Builds' output as it comes, and every step.
    pub verbose: bool,
    /// The time before each of hob's own lines, as before those of logs.
    pub timestamps: bool,
    /// What hob does is said on standard output: Compose's `COMPOSE_STATUS_STDOUT`.
    pub status_to_stdout: bool,
    /// Locations inside this folder are shown relative to it.
    pub relative_to: Option<PathBuf>,
    /// Called once when whoever read one of our streams has gone, such as `head`. Output to it ends silently.
    pub on_closed: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            wording: Wording::Hob,
            progress: Progress::Auto,
            ansi: Ansi::Auto,
            log_prefix: true,
            log_color: true,
            timings: false,
            verbose: false,
            timestamps: false,
            status_to_stdout: false,
            relative_to: None,
            on_closed: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("wording", &self.wording)
            .field("progress", &self.progress)
            .field("ansi", &self.ansi)
            .field("log_prefix", &self.log_prefix)
            .field("log_color", &self.log_color)
            .field("timings", &self.timings)
            .field("verbose", &self.verbose)
            .field("timestamps", &self.timestamps)
            .field("relative_to", &self.relative_to)
            .finish_non_exhaustive()
    }
}

/// What the process was given to write to.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Surroundings {
    /// Standard output is a terminal.
    pub stdout_tty: bool,
    /// Standard error is a terminal.
    pub stderr_tty: bool,
    /// `TERM=dumb`: no cursor movement, no colours.
    pub dumb: bool,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor `0`.
    pub force_color: bool,
    /// The locale is a UTF-8 one.
    pub utf8: bool,
}

impl Surroundings {
    /// Those of this process.
    #[allow(clippy::disallowed_methods, reason = "the door of this layer; `settle` is handed what it found")]
    pub fn detect() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default().to_lowercase();
        Self {
            stdout_tty: stdout().is_terminal(),
            stderr_tty: stderr().is_terminal(),
            dumb: var("TERM").is_some_and(|term| term == "dumb"),
            no_color: var("NO_COLOR").is_some(),
            force_color: var("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            utf8: locale.contains("utf-8") || locale.contains("utf8") || cfg!(target_os = "macos"),
        }
    }
}

/// Which renderer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Tty,
    Plain,
    Json,
    Quiet,
}

/// What comes of options and surroundings.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Settings {
    pub wording: Wording,
    pub kind: Kind,
    /// Colours on standard output.
    pub out_color: bool,
    /// Colours on standard error.
    pub err_color: bool,
    /// Colours where hob says what it does.
    pub status_color: bool,
    /// Standard output is a terminal, so results are cleaned of what would drive it.
    pub out_tty: bool,
    /// Signs beyond ASCII.
    pub utf8: bool,
    pub log_prefix: bool,
    pub log_color: bool,
    pub timings: bool,
    pub verbose: bool,
    pub relative_to: Option<PathBuf>,
}

impl Options {
    pub(super) fn settle(&self, around: Surroundings) -> Settings {
        let color = |tty: bool| match self.ansi {
            Ansi::Never => false,
            Ansi::Always => true,
            Ansi::Auto => !around.no_color && (around.force_color || tty && !around.dumb),
        };
        let status_tty = if self.status_to_stdout { around.stdout_tty } else { around.stderr_tty };
        // Without ANSI codes there is no live area: `--ansi never` makes progress plain in Compose too.
        let live = self.ansi != Ansi::Never && !around.dumb;
        let kind = match self.progress {
            // Logs that go through a pipe mostly end on the same terminal, and would be written across the area.
            Progress::Auto if status_tty && around.stdout_tty && live => Kind::Tty,
            Progress::Tty if live => Kind::Tty,
            Progress::Auto | Progress::Plain | Progress::Tty => Kind::Plain,
            Progress::Json => Kind::Json,
            Progress::Quiet => Kind::Quiet,
        };
        Settings {
            wording: self.wording,
            kind,
            out_color: color(around.stdout_tty),
            err_color: color(around.stderr_tty),
            status_color: color(status_tty),
            out_tty: around.stdout_tty,
            utf8: around.utf8,
            log_prefix: self.log_prefix,
            log_color: self.log_color,
            timings: self.timings || self.verbose,
            verbose: self.verbose,
            relative_to: self.relative_to.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTY: Surroundings = Surroundings {
        stdout_tty: true,
        stderr_tty: true,
        dumb: false,
        no_color: false,
        force_color: false,
        utf8: true,
    };
    const PIPE: Surroundings = Surroundings { stdout_tty: false, stderr_tty: false, ..TTY };

    #[test]
    fn what_was_asked_and_what_the_surroundings_allow() {
        // (progress, ansi, surroundings) -> (kind, colour on stdout, colour on stderr)
        let cases = [
            (Progress::Auto, Ansi::Auto, TTY, (Kind::Tty, true, true)),
            (Progress::Auto, Ansi::Auto, PIPE, (Kind::Plain, false, false)),
            (Progress::Auto, Ansi::Auto, Surroundings { stdout_tty: false, ..TTY }, (Kind::Plain, false, true)),
            (Progress::Auto, Ansi::Auto, Surroundings { stderr_tty: false, ..TTY }, (Kind::Plain, true, false)),
            (Progress::Auto, Ansi::Auto, Surroundings { no_color: true, ..TTY }, (Kind::Tty, false, false)),
            (Progress::Auto, Ansi::Auto, Surroundings { dumb: true, ..TTY }, (Kind::Plain, false, false)),
            (Progress::Auto, Ansi::Auto, Surroundings { force_color: true, ..PIPE }, (Kind::Plain, true, true)),
            (
                Progress::Auto,
                Ansi::Auto,
                Surroundings { force_color: true, no_color: true, ..TTY },
                (Kind::Tty, false, false),
            ),
            (Progress::Auto, Ansi::Never, TTY, (Kind::Plain, false, false)),
            (Progress::Tty, Ansi::Never, TTY, (Kind::Plain, false, false)),
            (Progress::Auto, Ansi::Always, PIPE, (Kind::Plain, true, true)),
            (Progress::Auto, Ansi::Always, Surroundings { no_color: true, ..PIPE }, (Kind::Plain, true, true)),
            (Progress::Tty, Ansi::Auto, PIPE, (Kind::Tty, false, false)),
            (Progress::Plain, Ansi::Auto, TTY, (Kind::Plain, true, true)),
            (Progress::Json, Ansi::Auto, TTY, (Kind::Json, true, true)),
            (Progress::Quiet, Ansi::Auto, TTY, (Kind::Quiet, true, true)),
        ];
        for (progress, ansi, around, want) in cases {
            let settings = Options { progress, ansi, ..Options::default() }.settle(around);
            let got = (settings.kind, settings.out_color, settings.err_color);
            assert_eq!(got, want, "{progress:?} {ansi:?} {around:?}");
        }
    }
}
