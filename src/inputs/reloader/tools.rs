//! The programs that are known, each with what makes it reload itself.

use std::collections::HashMap;

use crate::model::Reloader;

/// The environment of a command.
pub(super) type Environment = HashMap<String, String>;

/// Programs that reload whenever they are run with one of these subcommands.
const SUBCOMMANDS: [(&str, &[&str]); 45] = [
    ("adev", &["runserver"]),
    ("astro", &["dev"]),
    ("blitz", &["dev"]),
    ("craco", &["start"]),
    ("docusaurus", &["start"]),
    ("dotnet", &["watch"]),
    ("dx", &["serve"]),
    ("ember", &["serve", "s"]),
    ("gatsby", &["develop"]),
    ("gow", &["run"]),
    ("hugo", &["server", "serve"]),
    ("jekyll", &["serve", "server", "s"]),
    ("manage.py", &["runserver", "runserver_plus"]),
    ("django-admin", &["runserver"]),
    ("mdbook", &["serve"]),
    ("medusa", &["develop"]),
    ("mkdocs", &["serve"]),
    ("next", &["dev"]),
    ("ng", &["serve", "s"]),
    ("nuxi", &["dev"]),
    ("nuxt", &["dev"]),
    ("parcel", &["serve"]),
    ("quarkus", &["dev"]),
    ("quasar", &["dev"]),
    ("react-router", &["dev"]),
    ("react-scripts", &["start"]),
    ("realize", &["start"]),
    ("remix", &["dev", "vite:dev"]),
    ("rsbuild", &["dev"]),
    ("rspack", &["serve", "s", "dev"]),
    ("shadow-cljs", &["watch"]),
    ("storybook", &["dev"]),
    ("strapi", &["develop", "dev"]),
    ("svelte-kit", &["dev"]),
    ("trunk", &["serve"]),
    ("tsx", &["watch"]),
    ("vinxi", &["dev"]),
    ("vite", &["dev", "serve"]),
    ("vitepress", &["dev"]),
    ("vue-cli-service", &["serve"]),
    ("watchmedo", &["auto-restart"]),
    ("webpack", &["serve", "server", "s"]),
    ("wgo", &["run"]),
    ("wrangler", &["dev"]),
    ("zola", &["serve"]),
];

/// Programs that reload with one of these options.
const OPTIONS: [(&str, &[&str]); 11] = [
    ("bun", &["--watch", "--hot"]),
    ("eleventy", &["--serve", "--watch"]),
    ("granian", &["--reload"]),
    ("gunicorn", &["--reload"]),
    ("hypercorn", &["--reload"]),
    ("litestar", &["--reload"]),
    ("pserve", &["--reload"]),
    ("robyn", &["--dev"]),
    ("sanic", &["--dev", "--reload", "--auto-reload"]),
    ("uvicorn", &["--reload"]),
    ("vite-node", &["--watch", "-w"]),
];

/// Programs that do nothing else than to watch files.
const ALWAYS: [&str; 11] = [
    "CompileDaemon",
    "arelo",
    "hupper",
    "nodemon",
    "rerun",
    "shotgun",
    "sphinx-autobuild",
    "ts-node-dev",
    "tsnd",
    "watchfiles",
    "webpack-dev-server",
];

/// Options that switch it off again, or that only ask for something.
const OFF: [&str; 10] = [
    "--noreload",
    "--no-reload",
    "--no-watch",
    "--no-livereload",
    "--no-debug",
    "--no-restart",
    "--disable-watch",
    "--watch=false",
    "--help",
    "--version",
];

/// What a program with these arguments is known for.
pub fn tool(name: &str, args: &[String], env: &Environment) -> Option<Reloader> {
    // What comes after `--` is for another program.
    let end = args.iter().position(|arg| arg == "--").unwrap_or(args.len());
    let args = Args { all: &args[..end] };
    if args.any(&OFF) {
        return None;
    }
    if ALWAYS.contains(&name) {
        return plain(name);
    }
    let with = |found: &str| plain(&format!("{name} {found}"));
    for (_, words) in SUBCOMMANDS.iter().filter(|(tool, _)| *tool == name) {
        if let Some(word) = words.iter().find(|word| args.first() == Some(**word)) {
            return with(word);
        }
    }
    for (_, options) in OPTIONS.iter().filter(|(tool, _)| *tool == name) {
        // A runtime's own options come before the program that it runs.
        let own = if name == "bun" { args.own() } else { args };
        if let Some(option) = options.iter().find(|option| own.any(&[option])) {
            return with(option);
        }
    }
    special(name, args, env)
}

/// Programs with rules of their own.
fn special(name: &str, args: Args<'_>, env: &Environment) -> Option<Reloader> {
    let with = |found: &str| plain(&format!("{name} {found}"));
    let is_on = |variable: &str| env.get(variable).is_some_and(|value| is_true(value));
    match name {
        "uvicorn" if is_on("UVICORN_RELOAD") => with("with UVICORN_RELOAD"),
        "gunicorn" if env.get("GUNICORN_CMD_ARGS").is_some_and(|text| text.split(' ').any(|a| a == "--reload")) => {
            with("--reload")
        }
        "flask" | "quart" if args.has("run") => {
            let variable = if name == "flask" { "FLASK_DEBUG" } else { "QUART_DEBUG" };
            match ["--debug", "--reload"].into_iter().find(|option| args.any(&[option])) {
                Some(option) => with(option),
                None if is_on(variable) => with(&format!("with {variable}")),
                None => None,
            }
        }
        "fastapi" if args.first() == Some("dev") => with("dev"),
        "fastapi" if args.first() == Some("run") && args.any(&["--reload"]) => with("run --reload"),
        // Without a subcommand, with options or with the folder of the site, it serves.
        "vite" if args.first().is_none_or(|first| first.starts_with(['-', '.', '/'])) => plain(name),
        "air" if args.first().is_none_or(|first| first.starts_with('-') && first != "-v") => plain(name),
        // Without these they start what they run only when it has ended.
        "reflex" if args.any(&["-s", "--start-service"]) => with("--start-service"),
        "watchexec" if args.own().any(&["-r", "--restart"]) => with("--restart"),
        "cargo" if args.first() == Some("watch") => with("watch"),
        "cargo" if args.starts(&["leptos", "watch"]) => with("leptos watch"),
        "cargo-watch" | "cargo-leptos" if args.first() == Some("watch") => plain(name),
        "node" if args.own().any(&["--watch", "--watch-path"]) => with("--watch"),
        "deno" if matches!(args.first(), Some("run" | "serve")) => {
            let own = Args { all: &args.all[1..] }.own();
            own.any(&["--watch", "--watch-hmr"]).then(|| with("--watch")).flatten()
        }
        "nest" if args.first() == Some("start") && args.any(&["--watch", "-w"]) => with("start --watch"),
        "php" if args.starts(&["artisan", "serve"]) => with("artisan serve"),
        "php" if args.own().any(&["-S"]) => with("-S"),
        "artisan" if args.first() == Some("serve") => with("serve"),
        "mvn" | "mvnw" if args.has("quarkus:dev") => with("quarkus:dev"),
        "gradle" | "gradlew" if args.has("quarkusDev") => with("quarkusDev"),
        "mix" if args.first() == Some("phx.server") && in_development(env, &["MIX_ENV"]) => {
            outside("mix phx.server", &["config"])
        }
        "iex" if args.starts(&["-S", "mix", "phx.server"]) && in_development(env, &["MIX_ENV"]) => {
            outside("mix phx.server", &["config"])
        }
        "rails" if matches!(args.first(), Some("server" | "s")) => {
            let other = args
                .all
                .windows(2)
                .any(|two| matches!(two[0].as_str(), "-e" | "--environment") && two[1] != "development")
                || args.all.iter().any(|arg| arg.starts_with("--environment=") && !arg.ends_with("=development"));
            let development = !other && in_development(env, &["RAILS_ENV", "RACK_ENV"]);
            development.then(|| outside("rails server", &["config", "lib"])).flatten()
        }
        _ => None,
    }
}

fn plain(name: &str) -> Option<Reloader> {
    outside(name, &[])
}

/// One that reads some folders only when it starts.
#[allow(clippy::unnecessary_wraps, reason = "what a row of the table gives: rows beside it may give none")]
fn outside(name: &str, folders: &[&str]) -> Option<Reloader> {
    let except = folders.iter().map(|folder| (*folder).to_owned()).collect();
    Some(Reloader { name: name.to_owned(), except })
}

/// Frameworks that reload in development, which is what they are in when nothing is said.
fn in_development(env: &Environment, variables: &[&str]) -> bool {
    let said = variables.iter().find_map(|name| env.get(*name));
    said.is_none_or(|value| matches!(value.as_str(), "" | "dev" | "development"))
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on" | "t" | "y")
}

/// A program's arguments.
#[derive(Clone, Copy)]
struct Args<'a> {
    all: &'a [String],
}

impl<'a> Args<'a> {
    fn first(self) -> Option<&'a str> {
        self.all.first().map(String::as_str)
    }

    fn has(self, word: &str) -> bool {
        self.all.iter().any(|arg| arg == word)
    }

    fn starts(self, words: &[&str]) -> bool {
        self.all.len() >= words.len() && self.all.iter().zip(words).all(|(arg, word)| arg == word)
    }

    /// Options before the first word that is none.
    fn own(self) -> Self {
        let end = self.all.iter().position(|arg| !arg.starts_with('-')).unwrap_or(self.all.len());
        Self { all: &self.all[..end] }
    }

    /// Whether one of these options is given, with or without a value.
    fn any(self, options: &[&str]) -> bool {
        let matches = |arg: &String| {
            options.iter().any(|option| match arg.strip_prefix(option) {
                Some("") => true,
                Some(value) => option.starts_with("--") && value.starts_with('=') && value != "=false",
                None => false,
            })
        };
        self.all.iter().any(matches)
    }
}
