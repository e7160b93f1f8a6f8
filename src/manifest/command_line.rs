//! Texts that the command line and the manifest have in common, read by the manifest's own parsers.

use std::collections::BTreeMap;
use std::path::Path;

use crate::manifest::normalize::paths::Base;
use crate::manifest::normalize::short_syntax::{command, mount, port};
use crate::manifest::read::dotenv;
use crate::model::{BindOptions, Mount, MountType, Port, VolumeOptions, clean_path};

/// The words of a command in one text: `--entrypoint`.
///
/// # Errors
/// What is wrong with it.
pub fn words(text: &str) -> Result<Vec<String>, String> {
    let words = command::split(text)?;
    match words.dropped {
        Some(operator) => Err(format!("{operator:?} is for a shell: put it in quotes after `sh -c`")),
        None => Ok(words.words),
    }
}

/// The ports of a short form; a range is several: `-p`.
///
/// # Errors
/// What is wrong with it.
pub fn ports(text: &str) -> Result<Vec<Port>, String> {
    let some = |text: String| if text.is_empty() { None } else { Some(text) };
    let port = |short: port::ShortPort| Port {
        target: short.target.into(),
        published: some(short.published),
        host_ip: some(short.host_ip),
        protocol: Some(short.protocol),
        ..Port::default()
    };
    Ok(port::parse(text)?.into_iter().map(port).collect())
}

/// A mount of a short form, paths of the host being relative to a folder: `-v`.
///
/// # Errors
/// What is wrong with it.
pub fn mount(text: &str, folder: &Path, home: Option<&str>) -> Result<Mount, String> {
    let short = mount::parse(text)?;
    let base = Base { dir: folder, home };
    let source = if short.bind { base.absolute(&short.source) } else { short.source };
    let bind = BindOptions {
        selinux: short.selinux,
        propagation: short.propagation,
        create_host_path: short.bind.then_some(true),
        ..BindOptions::default()
    };
    Ok(Mount {
        r#type: if short.bind { MountType::Bind } else { MountType::Volume },
        source: if source.is_empty() { None } else { Some(source) },
        target: clean_path(&short.target),
        read_only: short.read_only,
        bind: (bind != BindOptions::default()).then_some(bind),
        volume: short.nocopy.then(|| VolumeOptions { nocopy: true, ..VolumeOptions::default() }),
        ..Mount::default()
    })
}

/// The variables of a file in the format of `.env`, whose values may use those of `outer`: `--env-from-file`. With the
/// names that were used and are not set, and their lines.
///
/// # Errors
/// What is wrong, with the place in the file.
pub fn env_file(text: &str, file: &Path, outer: &BTreeMap<String, String>) -> Result<EnvFile, String> {
    let mut unset = Vec::new();
    let variables = dotenv::parse(text, file, dotenv::Variables::new(), outer, &mut unset)
        .map_err(|error| format!("{}:{}:{}: {}", file.display(), error.line, error.column, error.message))?;
    let variables = variables.into_iter().map(|(name, variable)| (name, variable.value)).collect();
    Ok(EnvFile { variables, unset })
}

/// What a file of variables says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvFile {
    /// Its variables, in order.
    pub variables: Vec<(String, String)>,
    /// Names that its values use and nobody sets, with the line.
    pub unset: Vec<(String, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_in_the_manifest() {
        assert_eq!(words("sh -c 'a  b'").unwrap(), ["sh", "-c", "a  b"]);
        assert_eq!(words("").unwrap(), [""; 0]);
        assert!(words("sh -c 'a").is_err());
        assert!(words("a | b").unwrap_err().contains("shell"));
    }

    #[test]
    fn ranges_are_several_ports() {
        let of = |text: &str| {
            let ports = ports(text).unwrap().into_iter();
            ports.map(|p| format!("{:?} {:?} {}", p.host_ip, p.published, p.target)).collect::<Vec<_>>()
        };
        assert_eq!(of("80"), ["None None 80"]);
        assert_eq!(
            of("127.0.0.1:8080-8081:80-81"),
            ["Some(\"127.0.0.1\") Some(\"8080\") 80", "Some(\"127.0.0.1\") Some(\"8081\") 81"]
        );
        assert!(ports("8080:x").is_err());
    }

    #[test]
    fn paths_of_mounts_start_where_the_command_does() {
        let source = |text: &str| mount(text, Path::new("/here"), Some("/home/me")).unwrap().source;
        assert_eq!(source("./a:/b:ro").as_deref(), Some("/here/a"));
        assert_eq!(source("~/a:/b").as_deref(), Some("/home/me/a"));
        assert_eq!(source("data:/b").as_deref(), Some("data"));
        assert_eq!(source("/b"), None);
        assert!(mount("ab:/b:ro:x", Path::new("/"), None).is_err());
    }

    #[test]
    fn an_env_file_has_quotes_comments_and_export() {
        let outer = BTreeMap::from([("X".to_owned(), "x".to_owned())]);
        let file = env_file("# c\nexport A='a b' # c\nB=\"$X-$A-$C\"\nX\n", Path::new("e"), &outer).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(file.variables, [pair("A", "a b"), pair("B", "x-a b-"), pair("X", "x")]);
        assert_eq!(file.unset, [("C".to_owned(), 3)]);
        assert!(env_file("A='b\n", Path::new("e"), &outer).unwrap_err().starts_with("e:1:"));
    }
}
