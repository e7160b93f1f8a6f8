//! Programs that provide services: `provider` of the Compose Specification. Such a program is a plugin of Docker's
//! command line (`docker-TYPE` in one of its folders) or `TYPE` in `PATH`; it is called as
//! `TYPE compose --project-name=P up --OPTION=VALUE SERVICE`, and says on standard output what it does, a JSON object
//! in each line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

/// How much of one line, and of standard error, is read.
const LIMIT: u64 = 1 << 20;
/// How long a program may take to say what options it has.
const METADATA: Duration = Duration::from_secs(10);

/// A call of a provider.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// `provider.type`.
    pub kind: &'a str,
    /// `up` or `down`.
    pub command: &'a str,
    /// The project's name.
    pub project: &'a str,
    /// The service.
    pub service: &'a str,
    /// Options, each with its values.
    pub options: &'a [(String, Vec<String>)],
    /// Where it runs.
    pub folder: &'a Path,
    /// Its environment.
    pub environment: &'a BTreeMap<String, String>,
}

/// Variables for the services that depend on a provided one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Those that get the service's name in front.
    pub prefixed: BTreeMap<String, String>,
    /// Those that are as they are.
    pub raw: BTreeMap<String, String>,
}

/// Why a provider did not provide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// There is no such program.
    #[error("there is no provider {0}: neither a plugin docker-{0} nor a program {0} in PATH")]
    Missing(String),
    /// Its type is no name of a program.
    #[error("{0:?} is no provider: expected the name of a program")]
    Name(String),
    /// It says that it failed.
    #[error("{0}")]
    Failed(String),
    /// It wrote what is no message.
    #[error("the provider answered what is no message: {0}")]
    Answer(String),
    /// It ended with an error.
    #[error("the provider ended with {0}")]
    Ended(String),
    /// It could not be started.
    #[error("the provider cannot be started: {0}")]
    Start(String),
    /// An option that it needs is not there.
    #[error("the provider needs the option {0}")]
    Option(String),
}

#[derive(Deserialize)]
struct Said {
    r#type: String,
    #[serde(default)]
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    description: String,
    up: Parameters,
    down: Parameters,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    parameters: Vec<Parameter>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameter {
    name: String,
    required: bool,
}

/// Calls a provider and gives its variables. `info` takes what it says meanwhile. It is killed when this is dropped.
///
/// # Errors
/// It is not there, fails, or says something else than messages.
pub async fn call(call: &Call<'_>, info: &(dyn Fn(String) + Send + Sync)) -> Result<Variables, ProviderError> {
    let program = find(call.kind, call.environment)?;
    let options = options(call, &metadata(call, &program).await)?;
    let mut command = command(call, &program);
    command.arg(format!("--project-name={}", call.project)).arg(call.command).args(options).arg(call.service);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| ProviderError::Start(format!("{}: {error}", program.display())))?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(ProviderError::Start("it has no output".to_owned()));
    };
    let errors = tokio::spawn(async move {
        let mut text = Vec::new();
        // What cannot be read is missing in a message.
        let _ = err.take(LIMIT).read_to_end(&mut text).await;
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let variables = listen(BufReader::new(out), info).await?;
    let status = child.wait().await.map_err(|error| ProviderError::Ended(error.to_string()))?;
    if status.success() {
        return Ok(variables);
    }
    let said = errors.await.unwrap_or_default();
    Err(ProviderError::Ended(if said.is_empty() { status.to_string() } else { format!("{status}: {said}") }))
}

/// Reads messages to their end.
async fn listen(
    mut lines: impl tokio::io::AsyncBufRead + Unpin,
    info: &(dyn Fn(String) + Send + Sync),
) -> Result<Variables, ProviderError> {
    let mut variables = Variables::default();
    loop {
        let mut line = Vec::new();
        let read = (&mut lines).take(LIMIT).read_until(b'\n', &mut line).await;
        if read.map_err(|error| ProviderError::Answer(error.to_string()))? == 0 {
            return Ok(variables);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        let short = || text.chars().take(200).collect::<String>();
        let said: Said = serde_json::from_str(text).map_err(|_| ProviderError::Answer(short()))?;
        let pair = || {
            let pair = said.message.split_once('=').ok_or_else(|| ProviderError::Answer(short()))?;
            Ok((pair.0.to_owned(), pair.1.to_owned()))
        };
        match said.r#type.as_str() {
            "info" => info(said.message.lines().next().unwrap_or_default().to_owned()),
            "error" => return Err(ProviderError::Failed(said.message)),
            "setenv" => variables.prefixed.extend([pair()?]),
            "rawsetenv" => variables.raw.extend([pair()?]),
            "debug" => {}
            _ => return Err(ProviderError::Answer(short())),
        }
    }
}

fn command(call: &Call<'_>, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("compose").current_dir(call.folder).env_clear().envs(call.environment);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What options a provider has; without any where it does not say.
async fn metadata(call: &Call<'_>, program: &Path) -> Metadata {
    let output = command(call, program).arg("metadata").stderr(Stdio::null()).output();
    match tokio::time::timeout(METADATA, output).await {
        Ok(Ok(output)) if output.status.success() => serde_json::from_slice(&output.stdout).unwrap_or_default(),
        _ => Metadata::default(),
    }
}

/// `--OPTION=VALUE`; only those that the provider has, where it says which.
fn options(call: &Call<'_>, metadata: &Metadata) -> Result<Vec<String>, ProviderError> {
    let silent =
        metadata.description.is_empty() && metadata.up.parameters.is_empty() && metadata.down.parameters.is_empty();
    let known = if call.command == "up" { &metadata.up.parameters } else { &metadata.down.parameters };
    let given = |name: &str| call.options.iter().any(|(option, _)| option == name);
    if let Some(missing) = known.iter().find(|parameter| parameter.required && !given(&parameter.name)) {
        return Err(ProviderError::Option(missing.name.clone()));
    }
    let taken = call.options.iter().filter(|(name, _)| silent || known.iter().any(|known| known.name == *name));
    Ok(taken.flat_map(|(name, values)| values.iter().map(move |value| format!("--{name}={value}"))).collect())
}

fn find(kind: &str, environment: &BTreeMap<String, String>) -> Result<PathBuf, ProviderError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if kind.is_empty() || kind == "compose" || kind.starts_with(['-', '.']) || !kind.chars().all(plain) {
        return Err(ProviderError::Name(kind.to_owned()));
    }
    let own = match (environment.get("DOCKER_CONFIG"), environment.get("HOME")) {
        (Some(folder), _) => Some(PathBuf::from(folder)),
        (None, Some(home)) => Some(Path::new(home).join(".docker")),
        (None, None) => None,
    };
    let own = own.map(|folder| folder.join("cli-plugins"));
    let plugins = ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"];
    let plugins = plugins.iter().map(|folder| Path::new(folder).join("docker/cli-plugins"));
    let path = environment.get("PATH").map(String::as_str).unwrap_or_default();
    let path: Vec<PathBuf> = std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let plugin = format!("docker-{kind}");
    let candidates = own.into_iter().chain(plugins).map(|folder| folder.join(&plugin));
    let candidates = candidates.chain(path.iter().map(|folder| folder.join(kind)));
    let mut candidates = candidates.chain(path.iter().map(|folder| folder.join(&plugin)));
    candidates.find(|file| is_program(file)).ok_or_else(|| ProviderError::Missing(kind.to_owned()))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn heard(text: &str) -> Result<Variables, ProviderError> {
        listen(text.as_bytes(), &|_| ()).await
    }

    #[tokio::test]
    async fn messages_are_read_line_by_line() {
        let text = "{\"type\":\"info\",\"message\":\"pulling\"}\n\n{\"type\":\"setenv\",\"message\":\"URL=a=b\"}\n\
                    {\"type\":\"rawsetenv\",\"message\":\"KEY=1\"}\n{\"type\":\"debug\",\"message\":\"x\"}";
        let found = heard(text).await.unwrap();
        assert_eq!(found.prefixed["URL"], "a=b");
        assert_eq!(found.raw["KEY"], "1");
        let failed = heard("{\"type\":\"error\",\"message\":\"no money\"}\n").await;
        assert_eq!(failed, Err(ProviderError::Failed("no money".into())));
        for text in ["hello", "{\"type\":\"other\"}", "{\"type\":\"setenv\",\"message\":\"URL\"}"] {
            assert!(matches!(heard(text).await, Err(ProviderError::Answer(_))), "{text}");
        }
    }

    #[test]
    fn only_names_are_looked_for() {
        let environment = BTreeMap::from([("PATH".to_owned(), "/bin:/usr/bin:.".to_owned())]);
        assert!(find("sh", &environment).is_ok());
        for kind in ["", "compose", "../sh", "/bin/sh", "-x", "a b", ".hidden"] {
            assert_eq!(find(kind, &environment), Err(ProviderError::Name(kind.to_owned())), "{kind}");
        }
        assert_eq!(find("none-such", &environment), Err(ProviderError::Missing("none-such".into())));
    }

    #[test]
    fn options_are_those_that_it_has() {
        let folder = Path::new("/");
        let environment = BTreeMap::new();
        let given = [("size".to_owned(), vec!["1".to_owned(), "2".to_owned()]), ("x".to_owned(), vec!["y".to_owned()])];
        let call = Call {
            kind: "k",
            command: "up",
            project: "p",
            service: "s",
            options: &given,
            folder,
            environment: &environment,
        };
        let of = |text: &str| options(&call, &serde_json::from_str(text).unwrap());
        assert_eq!(of("{}").unwrap(), ["--size=1", "--size=2", "--x=y"]);
        assert_eq!(of(r#"{"up": {"parameters": [{"name": "x"}]}}"#).unwrap(), ["--x=y"]);
        let missing = of(r#"{"up": {"parameters": [{"name": "z", "required": true}]}}"#);
        assert_eq!(missing, Err(ProviderError::Option("z".into())));
    }
}
