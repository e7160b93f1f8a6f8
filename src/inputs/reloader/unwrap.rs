//! From a container's command to the program that it becomes: through shells, `exec`, package runners and scripts.

use std::collections::HashMap;

use super::shell;
use super::tools::{self, Environment};
use crate::model::Reloader;

/// Scripts and shells within each other are followed so far.
const DEPTH: usize = 6;

/// Wrappers that run the rest of their words, after their own options.
const WRAPPERS: [&str; 9] = ["exec", "tini", "dumb-init", "catatonit", "nohup", "bunx", "npx", "command", "time"];

/// Wrappers that run what comes after `--`.
const UNTIL_DASHES: [&str; 8] =
    ["wait-for-it.sh", "wait-for-it", "wait-for", "wait-for.sh", "dotenv", "doppler", "systemfd", "dotenvx"];

/// `X run COMMAND` and `X exec COMMAND`.
const RUNNERS: [(&str, &str); 8] = [
    ("poetry", "run"),
    ("pipenv", "run"),
    ("uv", "run"),
    ("pdm", "run"),
    ("rye", "run"),
    ("bundle", "exec"),
    ("pnpm", "dlx"),
    ("yarn", "exec"),
];

/// A command with what it runs in.
pub struct Command<'a> {
    /// Its environment.
    pub environment: Environment,
    /// The scripts of the `package.json` where it runs.
    pub scripts: &'a dyn Fn() -> Option<HashMap<String, String>>,
    /// How deep it is within others.
    pub depth: usize,
}

impl Command<'_> {
    /// The program that reloads itself, if these words run one.
    pub fn reloader(&mut self, words: Vec<String>) -> Option<Reloader> {
        self.depth += 1;
        let words = self.assign(words);
        if self.depth > DEPTH || words.is_empty() {
            return None;
        }
        let (name, rest) = (base_name(&words[0]).to_owned(), &words[1..]);
        match name.as_str() {
            "sh" | "bash" | "ash" | "dash" | "zsh" => self.shell(rest),
            // An entry point that prepares something and then runs the rest.
            _ if name.contains("entrypoint") => self.reloader(rest.to_vec()),
            "env" | "cross-env" => self.reloader(options(rest)),
            _ if WRAPPERS.contains(&name.as_str()) => self.reloader(options(rest)),
            _ if UNTIL_DASHES.contains(&name.as_str()) => {
                let at = rest.iter().position(|word| word == "--")?;
                self.reloader(rest[at + 1..].to_vec())
            }
            _ if runs(&name, rest) => self.reloader(options(&rest[1..])),
            "npm" | "pnpm" | "yarn" => self.package_runner(&name, rest),
            "bun" => tools::tool(&name, rest, &self.environment).or_else(|| self.package_runner(&name, rest)),
            "node" | "nodejs" => tools::tool("node", rest, &self.environment).or_else(|| self.node(rest)),
            _ if is_python(&name) => self.python(rest),
            "ruby" => self.reloader(options(rest)),
            _ => tools::tool(&name, rest, &self.environment),
        }
    }

    /// Takes `NAME=value` in front of a command into the environment.
    fn assign(&mut self, words: Vec<String>) -> Vec<String> {
        let assigns = |word: &String| {
            let (name, value) = word.split_once('=')?;
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            is_name.then(|| (name.to_owned(), value.to_owned()))
        };
        let mut rest = words.into_iter().peekable();
        while let Some((name, value)) = rest.peek().and_then(assigns) {
            self.environment.insert(name, value);
            rest.next();
        }
        rest.collect()
    }

    /// `sh -c TEXT`, `bash -lc TEXT`: the last command is the one that goes on running.
    fn shell(&mut self, rest: &[String]) -> Option<Reloader> {
        let at = rest.iter().position(|word| !word.starts_with('-') || word.ends_with('c'))?;
        if !rest[at].starts_with('-') {
            return None;
        }
        self.text(rest.get(at + 1)?, &[])
    }

    fn text(&mut self, text: &str, more: &[String]) -> Option<Reloader> {
        let mut commands = shell::commands(text)?;
        let mut last = commands.pop()?;
        last.extend(more.iter().cloned());
        for command in commands {
            match command[0].as_str() {
                "export" => drop(self.assign(command[1..].to_vec())),
                // The scripts are those of another folder then, and what `exec` runs never ends.
                "cd" | "pushd" => self.scripts = &|| None,
                "exec" => return None,
                _ => {}
            }
        }
        self.reloader(last)
    }

    /// `npm run dev`, `yarn dev`, `pnpm dev`, `npm start`: the script of the package. `pnpm exec X`, `yarn X`: the
    /// program of a package.
    fn package_runner(&mut self, name: &str, rest: &[String]) -> Option<Reloader> {
        let first = rest.first()?.as_str();
        let (script, more) = match first {
            "run" | "run-script" => (rest.get(1)?, &rest[2..]),
            "exec" | "x" if name != "bun" => return self.reloader(options(&rest[1..])),
            // Options of the runner may name another folder.
            _ if first.starts_with('-') => return None,
            "start" => (&rest[0], &rest[1..]),
            _ if name != "npm" => (&rest[0], &rest[1..]),
            _ => return None,
        };
        let more: Vec<String> = more.iter().filter(|word| *word != "--").cloned().collect();
        match (self.scripts)().and_then(|scripts| scripts.get(script).cloned()) {
            Some(text) => self.text(&text, &more),
            // `yarn nodemon` runs the program, as long as no script has its name.
            None if first != "run" && first != "start" => {
                self.reloader(std::iter::once(script.clone()).chain(more).collect())
            }
            None => None,
        }
    }

    /// `node node_modules/.bin/next dev`, `node --run dev`.
    fn node(&mut self, rest: &[String]) -> Option<Reloader> {
        if let [run, script, more @ ..] = rest
            && run == "--run"
        {
            let text = (self.scripts)()?.get(script).cloned()?;
            return self.text(&text, more);
        }
        let words = options(rest);
        words.first()?.contains("node_modules/.bin/").then(|| self.reloader(words)).flatten()
    }

    /// `python -m uvicorn …`, `python manage.py …`.
    fn python(&mut self, rest: &[String]) -> Option<Reloader> {
        let at = rest.iter().position(|word| word == "-m" || !word.starts_with('-'))?;
        let (program, rest) = match rest[at].as_str() {
            "-m" => (rest.get(at + 1)?, &rest[at + 2..]),
            _ => (&rest[at], &rest[at + 1..]),
        };
        let module = match base_name(program) {
            "django" => "django-admin",
            "aiohttp_devtools" => "adev",
            other => other,
        };
        tools::tool(module, rest, &self.environment)
    }
}

/// The words after a wrapper's own options.
fn options(words: &[String]) -> Vec<String> {
    let own = words.iter().position(|word| !word.starts_with('-') || word == "--").unwrap_or(words.len());
    let dashes = usize::from(words.get(own).is_some_and(|word| word == "--"));
    words[own + dashes..].to_vec()
}

fn runs(name: &str, rest: &[String]) -> bool {
    RUNNERS.iter().any(|(runner, verb)| name == *runner && rest.first().is_some_and(|word| word == verb))
}

fn is_python(name: &str) -> bool {
    let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
