//! Which containers can have the agent, and what their command becomes.

use super::platform::Platform;
use super::{MOUNT, RUN};
use crate::model::{EngineInfo, ObservedImage, Service};

/// Why a container cannot have the agent; hob then restarts the container instead of its command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// This hob carries no agent for the engine's platform, which this is.
    #[error("this build of hob carries no agent for engines on {0}")]
    NotCarried(String),
    /// The image is for another platform than the engine, which runs it by emulation if at all.
    #[error("the image is for {image} and the engine runs on {engine}")]
    Platform {
        /// The image's platform.
        image: String,
        /// The engine's platform.
        engine: String,
    },
    /// Neither the manifest nor the image says what to run.
    #[error("neither the manifest nor the image says what to run")]
    NoCommand,
    /// The command is an init system that runs only as the first process.
    #[error("{0} runs only as the container's first process")]
    NeedsFirst(String),
    /// Something of the user's is mounted where the agent would be.
    #[error("{0} is mounted where hob's agent would be")]
    MountTaken(String),
}

/// Init systems that refuse to run unless they are process 1 (s6-overlay, systemd, `OpenRC`, `BusyBox`).
const FIRST_ONLY: [&str; 8] = [
    "/init",
    "/sbin/init",
    "/usr/sbin/init",
    "/bin/systemd",
    "/lib/systemd/systemd",
    "/usr/lib/systemd/systemd",
    "/sbin/openrc-init",
    "init",
];

/// Entry point and command of a container that has the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// `Entrypoint` of the container: the agent, then what would have been the entry point.
    pub entrypoint: Vec<String>,
    /// `Cmd` of the container. It must be given even where it is the image's: an engine drops the image's command
    /// when an entry point is given.
    pub cmd: Vec<String>,
}

/// What a container's entry point and command become, so that the agent runs what would have run. `None` where
/// nothing would.
///
/// As an engine does it: an entry point of the manifest drops the image's command, an empty one clears the image's.
pub fn wrap(image: &ObservedImage, service: &Service) -> Option<Wrapped> {
    let entrypoint = service.entrypoint.as_ref().unwrap_or(&image.entrypoint);
    let cmd = match (&service.command, &service.entrypoint) {
        (Some(command), _) => command.clone(),
        (None, Some(own)) if !own.is_empty() => Vec::new(),
        (None, _) => image.cmd.clone(),
    };
    if entrypoint.is_empty() && cmd.is_empty() {
        return None;
    }
    let mut wrapped: Vec<String> = RUN.map(str::to_owned).to_vec();
    wrapped.extend(entrypoint.iter().cloned());
    Some(Wrapped { entrypoint: wrapped, cmd })
}

/// Whether a container of the service can have the agent.
///
/// `init: true` is fine (the engine's init is process 1 and runs the agent as its child), and so are `pid`, `ipc` and
/// network modes of any kind: the agent finds its own children and its own socket in each.
pub fn can_run(image: &ObservedImage, service: &Service, engine: &EngineInfo) -> Result<(), Why> {
    if !image.platform.is_empty() && Platform::of(&image.platform) != Platform::of(&engine.platform) {
        return Err(Why::Platform { image: image.platform.clone(), engine: engine.platform.clone() });
    }
    if super::binary(&engine.platform).is_none() {
        return Err(Why::NotCarried(engine.platform.clone()));
    }
    let taken = service.volumes.iter().find(|mount| {
        let target = mount.target.trim_end_matches('/');
        target == MOUNT || target.starts_with(&format!("{MOUNT}/"))
    });
    if let Some(mount) = taken {
        return Err(Why::MountTaken(mount.target.clone()));
    }
    let wrapped = wrap(image, service).ok_or(Why::NoCommand)?;
    match wrapped.entrypoint.iter().skip(RUN.len()).chain(&wrapped.cmd).next() {
        Some(first) if FIRST_ONLY.contains(&first.as_str()) => Err(Why::NeedsFirst(first.clone())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    /// The first platform that this build carries an agent for.
    fn own_platform() -> String {
        super::super::platforms().next().unwrap()
    }

    fn image(entrypoint: &[&str], cmd: &[&str]) -> ObservedImage {
        ObservedImage {
            entrypoint: strings(entrypoint),
            cmd: strings(cmd),
            platform: own_platform(),
            ..ObservedImage::default()
        }
    }

    fn service(entrypoint: Option<&[&str]>, command: Option<&[&str]>) -> Service {
        Service { entrypoint: entrypoint.map(strings), command: command.map(strings), ..Service::default() }
    }

    type Words<'a> = &'a [&'a str];
    type Case<'a> = (&'a ObservedImage, Service, Option<(Words<'a>, Words<'a>)>);

    #[test]
    fn the_wrapped_command_is_what_the_engine_would_have_run() {
        let both = image(&["/entry"], &["serve", "--all"]);
        let cases: [Case<'_>; 7] = [
            (&both, service(None, None), Some((&["/entry"], &["serve", "--all"]))),
            (&both, service(None, Some(&["other"])), Some((&["/entry"], &["other"]))),
            (&both, service(Some(&["/mine"]), None), Some((&["/mine"], &[]))),
            (&both, service(Some(&["/mine"]), Some(&["a"])), Some((&["/mine"], &["a"]))),
            (&both, service(Some(&[]), None), Some((&[], &["serve", "--all"]))),
            (&both, service(None, Some(&[])), Some((&["/entry"], &[]))),
            (&image(&[], &[]), service(None, None), None),
        ];
        for (image, service, expected) in cases {
            let expected = expected.map(|(entrypoint, cmd)| Wrapped {
                entrypoint: [&["/.hob/agent", "run", "--"], entrypoint]
                    .concat()
                    .iter()
                    .map(|&s| s.to_owned())
                    .collect(),
                cmd: strings(cmd),
            });
            assert_eq!(wrap(image, &service), expected, "{:?} {:?}", service.entrypoint, service.command);
        }
    }

    #[test]
    fn what_cannot_have_the_agent_says_why() {
        let engine = EngineInfo { platform: own_platform(), ..EngineInfo::default() };
        let plain = image(&[], &["serve"]);
        assert_eq!(can_run(&plain, &Service::default(), &engine), Ok(()));
        let other = ObservedImage { platform: "linux/s390x".to_owned(), ..plain.clone() };
        assert!(matches!(can_run(&other, &Service::default(), &engine), Err(Why::Platform { .. })));
        let windows = ObservedImage { platform: "windows/amd64".to_owned(), ..plain.clone() };
        assert!(matches!(can_run(&windows, &Service::default(), &engine), Err(Why::Platform { .. })));
        let mainframe = EngineInfo { platform: "linux/s390x".to_owned(), ..EngineInfo::default() };
        let why = can_run(&other, &Service::default(), &mainframe).unwrap_err();
        assert_eq!(why, Why::NotCarried("linux/s390x".to_owned()));
        let init = image(&["/init"], &[]);
        assert_eq!(can_run(&init, &Service::default(), &engine), Err(Why::NeedsFirst("/init".to_owned())));
        assert_eq!(can_run(&image(&[], &[]), &Service::default(), &engine), Err(Why::NoCommand));
        let mut mounted = Service::default();
        mounted.volumes.push(crate::model::Mount { target: "/.hob/".to_owned(), ..crate::model::Mount::default() });
        assert_eq!(can_run(&plain, &mounted, &engine), Err(Why::MountTaken("/.hob/".to_owned())));
        for (modes, name) in [
            (Service { init: Some(true), ..Service::default() }, "init"),
            (Service { pid: Some("host".to_owned()), ..Service::default() }, "pid"),
            (Service { network_mode: Some("host".to_owned()), ..Service::default() }, "network"),
            (Service { read_only: true, ..Service::default() }, "read_only"),
        ] {
            assert_eq!(can_run(&plain, &modes, &engine), Ok(()), "{name}");
        }
    }
}
