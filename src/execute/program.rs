//! A command that the image does not have.

use super::{Cause, Failure};

/// Programs that images commonly start with.
const COMMON: [&str; 48] = [
    "apache2",
    "ash",
    "bash",
    "bundle",
    "cargo",
    "cat",
    "celery",
    "composer",
    "curl",
    "dart",
    "deno",
    "dotnet",
    "echo",
    "elixir",
    "flask",
    "go",
    "gradle",
    "gunicorn",
    "httpd",
    "java",
    "make",
    "mix",
    "mvn",
    "mysqld",
    "nginx",
    "node",
    "npm",
    "npx",
    "php",
    "pnpm",
    "poetry",
    "postgres",
    "python",
    "python3",
    "rails",
    "rake",
    "redis-server",
    "ruby",
    "sh",
    "sleep",
    "tail",
    "tini",
    "true",
    "uv",
    "uvicorn",
    "watchmedo",
    "wget",
    "yarn",
];

/// The program that an engine did not find, by what it said: `exec: "slep": executable file not found in $PATH`.
fn not_found(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("exec: \"")?;
    let (program, why) = rest.split_once('"')?;
    (why.contains("executable file not found") || why.contains("no such file or directory")).then_some(program)
}

/// Makes of a failure to start one of the service, where its command is not in the image.
pub(super) fn explain(failure: &mut Failure) {
    let Some(program) = not_found(&failure.message.text).map(str::to_owned) else { return };
    failure.cause = Cause::Unhealthy;
    failure.message.text = format!("the image has no program {program}: {}", failure.message.text);
    let name = program.rsplit('/').next().unwrap_or_default();
    failure.message.hints.push(if name == "bash" {
        "many small images have `sh` only".to_owned()
    } else if program.contains(' ') {
        "a list takes the program and each argument as an item of its own: `[\"program\", \"argument\"]`".to_owned()
    } else {
        match COMMON.iter().find(|known| **known != name && strsim::osa_distance(known, name) == 1) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "mend `command` or `entrypoint`, or install it in the image".to_owned(),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Message;

    #[test]
    fn a_command_that_is_not_there_is_told() {
        for (said, hint) in [
            ("exec: \"slep\": executable file not found in $PATH", "did you mean `sleep`?"),
            ("exec: \"/bin/bash\": stat /bin/bash: no such file or directory", "`sh` only"),
            ("exec: \"sleep 5\": executable file not found in $PATH", "each argument"),
            ("exec: \"mine\": executable file not found in $PATH", "install it"),
        ] {
            let mut failure = Failure { cause: Cause::Engine, message: Message::new(said) };
            explain(&mut failure);
            assert_eq!(failure.cause, Cause::Unhealthy, "{said}");
            assert!(failure.message.hints.concat().contains(hint), "{said}: {:?}", failure.message.hints);
        }
        let mut other = Failure { cause: Cause::Engine, message: Message::new("exec: \"/x\": permission denied") };
        explain(&mut other);
        assert_eq!(other.cause, Cause::Engine);
    }
}
