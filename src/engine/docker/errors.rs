//! Turns what the engine and the connection to it say into [`ErrorKind`]: a pure table over status codes and texts,
//! tested with the real texts of engine 20.10 and 28.5.

use std::error::Error as StdError;
use std::io;

use bollard::errors::Error as BollardError;

use crate::engine::{EngineError, ErrorKind};
use crate::model::registry_of;

/// An error of bollard as one of ours. `endpoint` is named where nothing answers there.
pub(super) fn translate(error: BollardError, endpoint: &str) -> EngineError {
    match error {
        BollardError::DockerResponseServerError { status_code, message } => answer(status_code, message.trim()),
        BollardError::DockerStreamError { error } | BollardError::DockerContainerWaitError { error, .. } => {
            answer(0, error.trim())
        }
        BollardError::SocketNotFoundError(_) => unreachable_at(endpoint),
        BollardError::RequestTimeoutError => {
            EngineError::new(ErrorKind::Lost, format!("the engine at {endpoint} did not answer in time"))
        }
        BollardError::JsonDataError { message, .. } => {
            EngineError::new(ErrorKind::Other, format!("the engine's answer is not understood: {message}"))
        }
        BollardError::IOError { err } => connection(&err, endpoint),
        BollardError::HyperResponseError { err } => connection(&err, endpoint),
        BollardError::HyperLegacyError { err } => connection(&err, endpoint),
        other => EngineError::new(ErrorKind::Other, other.to_string()),
    }
}

/// An answer of the engine with an error status; 0 for an error inside a stream.
pub(super) fn answer(status: u16, message: &str) -> EngineError {
    let kind = kind_of_answer(status, message);
    let message = match kind {
        ErrorKind::PortTaken { port: port @ 1.. } => format!("port {port} of the host is already in use"),
        _ if message.is_empty() => format!("the engine answered with status {status}"),
        _ => without_wrapping(message).to_owned(),
    };
    EngineError::new(kind, message)
}

/// Without the layers of the engine that passed an error on.
fn without_wrapping(mut message: &str) -> &str {
    let layers = [
        "failed to create task for container: ",
        "failed to create shim task: ",
        "failed to set up container networking: ",
        "OCI runtime create failed: ",
        "OCI runtime exec failed: ",
        "runc create failed: ",
        "exec failed: ",
        "unable to start container process: ",
    ];
    while let Some(rest) = layers.iter().find_map(|layer| message.strip_prefix(layer)) {
        message = rest;
    }
    message.strip_suffix(": unknown").unwrap_or(message)
}

/// Nothing answers.
pub(super) fn unreachable_at(endpoint: &str) -> EngineError {
    EngineError::new(
        ErrorKind::Unreachable { endpoint: endpoint.to_owned() },
        format!("no container engine answers at {endpoint}"),
    )
}

/// An engine that is too old for something.
pub(super) fn unsupported(what: &str, needs: (u32, u32), api: (u32, u32)) -> EngineError {
    EngineError::new(
        ErrorKind::Unsupported { needs },
        format!(
            "{what} needs API {}.{} ({}); this engine has API {}.{}",
            needs.0,
            needs.1,
            engine_with(needs),
            api.0,
            api.1
        ),
    )
}

/// The first Docker Engine that has an API version.
fn engine_with(api: (u32, u32)) -> String {
    let version = match api {
        (1, ..=41) => "20.10",
        (1, 42) => "23.0",
        (1, 43) => "24.0",
        (1, 44) => "25.0",
        (1, 45) => "26.0",
        (1, 46) => "27.0",
        (1, 47) => "27.3",
        (1, 48) => "28.0",
        (1, 49) => "28.1",
        (1, 50) => "28.2",
        (1, 51) => "28.3",
        _ => "29.0",
    };
    format!("Docker Engine {version} or newer")
}

/// A failed connection, or one that broke.
pub(super) fn connection(error: &(dyn StdError + 'static), endpoint: &str) -> EngineError {
    let mut text = error.to_string();
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable => {
                    return unreachable_at(endpoint);
                }
                io::ErrorKind::PermissionDenied => {
                    return EngineError::new(
                        ErrorKind::Forbidden,
                        format!("this user may not speak to the container engine at {endpoint}"),
                    );
                }
                _ => {}
            }
        }
        text = error.to_string();
        if text.contains("failed to lookup address") {
            let kind = ErrorKind::Unreachable { endpoint: endpoint.to_owned() };
            return EngineError::new(kind, format!("no container engine answers at {endpoint}: {text}"));
        }
        source = error.source();
    }
    EngineError::new(ErrorKind::Lost, format!("the connection to the engine at {endpoint} broke: {text}"))
}

fn kind_of_answer(status: u16, message: &str) -> ErrorKind {
    let lower = message.to_ascii_lowercase();
    if let Some(port) = taken_port(&lower) {
        return ErrorKind::PortTaken { port };
    }
    if lower.contains("no space left on device") || lower.contains("disk quota exceeded") {
        return ErrorKind::DiskFull;
    }
    if let Some(kind) = ErrorKind::of_refused_command(message) {
        return kind;
    }
    match status {
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        // 20.10 and 28.5 answer 403 where a network still has containers, and 500 where an address pool overlaps.
        403 if lower.contains("active endpoints") => ErrorKind::Conflict,
        403 | 500 if lower.contains("pool overlaps") || lower.contains("already in use") => ErrorKind::Conflict,
        400 | 403 | 405 | 406 | 500 | 501 | 503 => ErrorKind::Refused,
        401 => ErrorKind::Forbidden,
        _ => ErrorKind::Other,
    }
}

/// The host port in a message that says that it is taken; 0 where it is not told.
fn taken_port(lower: &str) -> Option<u16> {
    let taken = lower.contains("port is already allocated")
        || lower.contains("address already in use")
        || lower.contains("ports are not available");
    if !taken {
        return None;
    }
    // "bind for 0.0.0.0:8080 failed", "listen tcp4 0.0.0.0:8080: bind: …", "failed to bind host port 0.0.0.0:8080/tcp",
    // "failed to bind host port for 0.0.0.0:8080:172.18.0.2:80/tcp", "listen tcp [::]:8080: bind"
    let from = [
        "bind for ",
        "host port for ",
        "host port ",
        "listen tcp4 ",
        "listen tcp6 ",
        "listen tcp ",
        "exposing port tcp ",
        "listen udp4 ",
        "listen udp6 ",
        "listen udp ",
    ]
    .iter()
    .find_map(|start| Some(&lower[lower.find(start)? + start.len()..]));
    let address = from.unwrap_or_default().split_whitespace().next().unwrap_or_default();
    let after_host = match address.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some((_, rest)) => rest,
        None if address.starts_with(":::") => &address[3..],
        None => address.split_once(':').map_or("", |(_, rest)| rest),
    };
    let digits = after_host.find(|c: char| !c.is_ascii_digit()).unwrap_or(after_host.len());
    Some(after_host[..digits].parse().unwrap_or(0))
}

/// Why a pull failed, in words for somebody who has never run an engine.
pub(super) fn pull_failed(image: &str, raw: &str) -> EngineError {
    let lower = raw.to_ascii_lowercase();
    if lower.contains("no space left on device") {
        return EngineError::new(ErrorKind::DiskFull, format!("image {image} cannot be pulled: {raw}"));
    }
    let no_network = [
        "no such host",
        "dial tcp",
        "i/o timeout",
        "network is unreachable",
        "connection refused",
        "tls handshake",
        "proxyconnect",
        "client.timeout",
        "temporary failure in name resolution",
        "server misbehaving",
        "eof",
        "failed to do request",
    ];
    let no_image = ["manifest unknown", "not found", "repository does not exist", "no matching manifest"];
    let no_login = ["denied", "unauthorized", "authentication required", "no basic auth credentials"];
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let registry = registry_of(image);
    let reason = if has(&no_network) {
        format!("the registry {registry} cannot be reached")
    } else if lower.contains("toomanyrequests") || lower.contains("rate limit") {
        format!("the registry {registry} limits how often it is asked")
    } else if has(&no_login) {
        format!("the registry {registry} does not have it, or asks for a login (`docker login {registry}`)")
    } else if has(&no_image) {
        format!("the registry {registry} does not have it; check its name and tag")
    } else {
        "the engine says".to_owned()
    };
    EngineError::new(
        ErrorKind::Pull { image: image.to_owned() },
        format!("image {image} is not on this engine and cannot be pulled: {reason}: {}", raw.trim()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_real_engines() {
        let port = |port| ErrorKind::PortTaken { port };
        for (status, text, kind) in [
            // 20.10
            (
                500,
                "driver failed programming external connectivity on endpoint hobt2 (b19f8c53c3d5): Bind for 127.0.0.1:45871 failed: port is already allocated",
                port(45871),
            ),
            (
                500,
                "driver failed programming external connectivity on endpoint hobt4 (714b0e7ae5e5): Error starting userland proxy: listen tcp4 0.0.0.0:45872: bind: address already in use",
                port(45872),
            ),
            // 28.5, both image stores
            (
                500,
                "failed to set up container networking: driver failed programming external connectivity on endpoint hobt2 (f25b070c9fc8): Bind for 127.0.0.1:45871 failed: port is already allocated",
                port(45871),
            ),
            (
                500,
                "failed to set up container networking: driver failed programming external connectivity on endpoint hobt3 (2f2ffc537c63): failed to bind host port for 127.0.0.1:45872:172.17.0.3:80/tcp: address already in use",
                port(45872),
            ),
            (
                500,
                "failed to set up container networking: driver failed programming external connectivity on endpoint x (0f): failed to bind host port 0.0.0.0:8081/tcp: address already in use",
                port(8081),
            ),
            (
                403,
                "error while removing network: network hobtn has active endpoints (name:\"hobt1\" id:\"7f0c0c2d7d53\")",
                ErrorKind::Conflict,
            ),
            (403, "invalid pool request: Pool overlaps with other one on this address space", ErrorKind::Conflict),
            (
                500,
                "Ports are not available: exposing port TCP 0.0.0.0:3000 -> 0.0.0.0:0: listen tcp 0.0.0.0:3000: bind: address already in use",
                port(3000),
            ),
            (500, "Error starting userland proxy: listen tcp6 [::]:443: bind: address already in use", port(443)),
            (500, "something else: address already in use", port(0)),
            (404, "No such container: nothing", ErrorKind::NotFound),
            (404, "No such image: nothing:latest", ErrorKind::NotFound),
            (
                409,
                "Conflict. The container name \"/a\" is already in use by container \"0f\". You have to remove (or rename) that container to be able to reuse that name.",
                ErrorKind::Conflict,
            ),
            (403, "error while removing network: network a id 0f has active endpoints", ErrorKind::Conflict),
            (409, "remove v: volume is in use - [0f]", ErrorKind::Conflict),
            (500, "Pool overlaps with other one on this address space", ErrorKind::Conflict),
            (500, "write /var/lib/docker/x: no space left on device", ErrorKind::DiskFull),
            (
                400,
                "OCI runtime create failed: runc create failed: unable to start container process: exec: \"/bin/bash\": stat /bin/bash: no such file or directory: unknown",
                ErrorKind::NoProgram { program: Some("/bin/bash".to_owned()) },
            ),
            (
                400,
                "OCI runtime exec failed: exec failed: unable to start container process: chdir to cwd (\"/no\") set in config.json failed: no such file or directory: unknown",
                ErrorKind::NoProgram { program: None },
            ),
            (
                400,
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"/etc\": permission denied: unknown",
                ErrorKind::NotExecutable,
            ),
            (400, "invalid reference format", ErrorKind::Refused),
            (0, "context canceled", ErrorKind::Other),
        ] {
            assert_eq!(answer(status, text).kind, kind, "{text}");
        }
    }

    #[test]
    fn messages_lose_the_layers() {
        for (text, expected) in [
            (
                "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/no/such\": stat /no/such: no such file or directory",
                "exec: \"/no/such\": stat /no/such: no such file or directory",
            ),
            (
                "OCI runtime exec failed: exec failed: unable to start container process: exec: \"nothere\": executable file not found in $PATH: unknown",
                "exec: \"nothere\": executable file not found in $PATH",
            ),
            ("Bind for 127.0.0.1:80 failed: port is already allocated", "port 80 of the host is already in use"),
            ("", "the engine answered with status 500"),
        ] {
            assert_eq!(answer(500, text).message, expected);
        }
    }

    #[test]
    fn connections() {
        let kind = |k: io::ErrorKind| connection(&io::Error::from(k), "unix:///s").kind;
        let nowhere = ErrorKind::Unreachable { endpoint: "unix:///s".into() };
        assert_eq!(kind(io::ErrorKind::NotFound), nowhere);
        assert_eq!(kind(io::ErrorKind::ConnectionRefused), nowhere);
        assert_eq!(kind(io::ErrorKind::PermissionDenied), ErrorKind::Forbidden);
        assert_eq!(kind(io::ErrorKind::ConnectionReset), ErrorKind::Lost);
        assert_eq!(kind(io::ErrorKind::UnexpectedEof), ErrorKind::Lost);
    }

    #[test]
    fn pulls_say_what_to_do() {
        for (image, raw, part) in [
            (
                "redis",
                "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host",
                "the registry docker.io cannot be reached",
            ),
            ("redis:0", "manifest for redis:0 not found: manifest unknown: manifest unknown", "check its name and tag"),
            ("a.example/b/c", "denied: requested access to the resource is denied", "docker login a.example"),
            (
                "localhost:5000/x",
                "Get \"http://localhost:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
                "localhost:5000 cannot be reached",
            ),
        ] {
            let error = pull_failed(image, raw);
            assert_eq!(error.kind, ErrorKind::Pull { image: image.into() });
            assert!(error.message.contains(part), "{}", error.message);
        }
    }

    #[test]
    fn unsupported_names_both_versions() {
        assert_eq!(
            unsupported("healthcheck.start_interval", (1, 44), (1, 41)).message,
            "healthcheck.start_interval needs API 1.44 (Docker Engine 25.0 or newer); this engine has API 1.41"
        );
    }
}
