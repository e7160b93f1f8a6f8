//! Spellings of options that Docker Compose's reader takes and clap's does not, brought to those that both take:
//! `--detach=true`, `--build=false`, `-d=true`, and, before the command of `run` and `exec`, `-eNAME=value` and `-uroot`.

use std::ffi::{OsStr, OsString};
use std::iter::Peekable;

use clap::{Arg, ArgAction, Command, Id};

/// The words as clap reads them. Words that are no options of the command stay, for clap to say what is wrong with them.
pub(super) fn plain(cli: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words = words.into_iter().peekable();
    let mut plain = Plain { options: cli.get_arguments().collect(), out: vec![] };
    plain.out.extend(words.next().map(|program| (None, program)));
    while let Some(word) = words.next() {
        if let Some(Next::Word(word)) = plain.word(of_old(word), &mut words) {
            let command = word.to_str().and_then(|name| cli.find_subcommand(name));
            plain.out.push((None, word));
            if let Some(command) = command {
                plain.options.retain(|option| option.is_global_set());
                plain.options.extend(command.get_arguments());
                plain.command(command, &mut words);
            }
            break;
        }
    }
    plain.out.into_iter().map(|(_, word)| word).chain(words).collect()
}

/// `--workdir` before the command, which commands have for something else.
fn of_old(word: OsString) -> OsString {
    match word.to_str().and_then(|text| text.strip_prefix("--workdir")) {
        Some(rest) if rest.is_empty() || rest.starts_with('=') => format!("--project-directory{rest}").into(),
        _ => word,
    }
}

/// `build` and `pull` of Docker Compose 1 had a switch `--parallel`, which scripts still pass. What is no number behind it is
/// not its value.
fn is_old_parallel(command: &Command, word: &OsStr, next: Option<&OsString>) -> bool {
    let is_number = |text: &OsStr| text.to_str().is_some_and(|text| text.parse::<i64>().is_ok());
    let Some(rest) = word.to_str().and_then(|text| text.strip_prefix("--parallel")) else { return false };
    matches!(command.get_name(), "build" | "pull")
        && match rest.strip_prefix('=') {
            Some(value) => truth(value).is_some() && !is_number(OsStr::new(value)),
            None => rest.is_empty() && !next.is_some_and(|next| is_number(next)),
        }
}

struct Plain<'a> {
    options: Vec<&'a Arg>,
    /// Each word, with the option that it switches on.
    out: Vec<(Option<&'a Id>, OsString)>,
}

/// What a word was that is no option.
enum Next {
    Word(OsString),
    /// `--`: no options follow.
    End,
}

impl<'a> Plain<'a> {
    fn command(&mut self, command: &Command, words: &mut Peekable<impl Iterator<Item = OsString>>) {
        let own = command.get_positionals().any(Arg::is_trailing_var_arg_set);
        while let Some(word) = words.next() {
            if is_old_parallel(command, &word, words.peek()) {
                continue;
            }
            match self.word(word, words) {
                None => {}
                Some(Next::End) => return,
                Some(Next::Word(word)) if own => {
                    // All that follows is the command's that is run.
                    self.out.extend([(None, "--".into()), (None, word)]);
                    return;
                }
                Some(Next::Word(word)) => self.out.push((None, word)),
            }
        }
    }

    /// Takes an option, with its value; `None` where the word was one.
    fn word(&mut self, word: OsString, words: &mut impl Iterator<Item = OsString>) -> Option<Next> {
        let text = word.to_str().unwrap_or_default();
        if text == "--" {
            self.out.push((None, word));
            return Some(Next::End);
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let spelt = format!("--{name}");
            match (self.options.iter().copied().find(|option| is_long(option, name)), value) {
                (Some(option), None) => {
                    let value = if wants_value(option) { words.next() } else { None };
                    self.push(option, word, value);
                }
                (Some(option), Some(value)) => self.attached(option, &spelt, value),
                (None, _) => self.out.push((None, word)),
            }
            return None;
        }
        match text.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => self.letters(letters, words),
            _ => return Some(Next::Word(word)),
        }
        None
    }

    /// Options of one letter, of which the last may have a value: `-it`, `-n10`, `-d=true`.
    fn letters(&mut self, letters: &str, words: &mut impl Iterator<Item = OsString>) {
        let mut rest = letters;
        while let Some(letter) = rest.chars().next() {
            let spelt = format!("-{letter}");
            let Some(option) = self.options.iter().copied().find(|option| option.get_short() == Some(letter)) else {
                self.out.push((None, format!("-{rest}").into()));
                return;
            };
            rest = &rest[letter.len_utf8()..];
            if let Some(value) = rest.strip_prefix('=') {
                self.attached(option, &spelt, value);
                return;
            }
            if wants_value(option) {
                if rest.is_empty() {
                    let value = words.next();
                    self.push(option, spelt.into(), value);
                } else {
                    self.attached(option, &spelt, rest);
                }
                return;
            }
            self.push(option, spelt.into(), None);
        }
    }

    fn push(&mut self, option: &'a Arg, word: OsString, value: Option<OsString>) {
        let switch = is_switch(option).then(|| option.get_id());
        self.out.push((switch, word));
        self.out.extend(value.map(|value| (None, value)));
    }

    fn attached(&mut self, option: &'a Arg, spelt: &str, value: &str) {
        match truth(value) {
            Some(true) if is_switch(option) => self.push(option, spelt.into(), None),
            // As if it had not been given before either.
            Some(false) if is_switch(option) => self.out.retain(|(switch, _)| *switch != Some(option.get_id())),
            Some(truth) if option.is_require_equals_set() => self.out.push((None, format!("{spelt}={truth}").into())),
            _ => self.out.push((None, format!("{spelt}={value}").into())),
        }
    }
}

fn is_long(option: &Arg, name: &str) -> bool {
    option.get_long() == Some(name) || option.get_all_aliases().is_some_and(|others| others.contains(&name))
}

fn is_switch(option: &Arg) -> bool {
    matches!(option.get_action(), ArgAction::SetTrue)
}

/// The next word is the option's, where it brings no value itself.
fn wants_value(option: &Arg) -> bool {
    option.get_action().takes_values() && !option.is_require_equals_set()
}

/// Go's spellings.
fn truth(value: impl AsRef<OsStr>) -> Option<bool> {
    match value.as_ref().to_str()? {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn spellings_are_brought_to_one() {
        let cases = [
            ("up --detach=true api", "up --detach api"),
            ("up -d=1 -V", "up -d -V"),
            ("up -dV", "up -d -V"),
            ("up --build=false --no-build", "up --no-build"),
            ("up --build --build=F -d", "up -d"),
            ("up -dw=false", "up -d"),
            ("up --wait=maybe", "up --wait=maybe"),
            ("up -t=5 -t5 -t 5 api -d=T", "up -t=5 -t=5 -t 5 api -d"),
            ("-f=a.yaml -pshop --verbose=true ps -aq=true", "-f=a.yaml -p=shop --verbose ps -a -q"),
            ("ps --orphans=0 --progress=plain --verbose=false", "ps --orphans=false --progress=plain"),
            ("logs --tail -1 -n-1 -ft", "logs --tail -1 -n=-1 -f -t"),
            ("logs --file x -- -t=true", "logs --file x -- -t=true"),
            ("run -i=0 -eA=b -v/tmp:/y web -d=true", "run -i=false -e=A=b -v=/tmp:/y -- web -d=true"),
            ("run -ite A=b web -- sh", "run -i -t -e A=b -- web -- sh"),
            ("run -- web -eA=b", "run -- web -eA=b"),
            ("run --rm=true --no-tty=true web", "run --rm --no-tty -- web"),
            ("exec -T=true -uroot --user root web ls", "exec -T -u=root --user root -- web ls"),
            ("exec -xT web ls", "exec -xT -- web ls"),
            ("nothing --detach=true", "nothing --detach=true"),
            ("up --scale", "up --scale"),
            ("up - -", "up - -"),
            ("--workdir a --workdir=b ps", "--project-directory a --project-directory=b ps"),
            ("--workdir a exec --workdir /b web ls", "--project-directory a exec --workdir /b -- web ls"),
            ("build --parallel web", "build web"),
            ("pull --parallel=true --parallel", "pull"),
            ("build --parallel 2 --parallel=3 web", "build --parallel 2 --parallel=3 web"),
            ("up --parallel 2", "up --parallel 2"),
        ];
        let cli = Cli::command();
        for (line, want) in cases {
            let words = format!("hob {line}");
            let got = plain(&cli, words.split(' ').map(OsString::from));
            assert_eq!(got.join(OsStr::new(" ")).to_str(), Some(&*format!("hob {want}")), "{line}");
        }
    }
}
