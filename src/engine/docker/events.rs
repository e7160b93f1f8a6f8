//! What happens to a project's containers.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::Docker;
use super::endpoint::Stream;
use super::observe::made_for;
use super::raw::Answer;
use super::told::{Tale, Told, TooLong};
use crate::engine::{Action, BoxStream, EngineError, EngineEvent, ErrorKind, Happening, Result};
use crate::model::labels::{NUMBER, ONEOFF, PROJECT, SERVICE};
use crate::model::{ContainerId, Health, ServiceName};

/// What is read at once.
const PIECE: usize = 16 * 1024;

impl Docker {
    pub(super) fn events(&self, project: &str) -> BoxStream<Result<EngineEvent>> {
        Box::pin(self.told(project, None, None).map(|told| told.map(event_of)))
    }

    pub(super) fn happenings(
        &self,
        project: &str,
        since: Option<i64>,
        until: Option<i64>,
    ) -> BoxStream<Result<Happening>> {
        let happening = |told: Told| Happening {
            container: ContainerId::new(told.id),
            action: told.action,
            attributes: told.attributes.into_iter().collect(),
            time: told.time_nano,
        };
        Box::pin(self.told(project, since, until).map(move |told| told.map(happening)))
    }

    fn told(
        &self,
        project: &str,
        since: Option<i64>,
        until: Option<i64>,
    ) -> impl futures_util::Stream<Item = Result<Told>> + use<> {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            made_for(&format!("{PROJECT}={project}")),
        ]);
        // The request goes out when the stream is first polled; the engine keeps its last events, and `since` makes
        // it hand over those that happened in between.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let filters = escaped(&serde_json::to_string(&filters).unwrap_or_default());
        let since = match since {
            Some(seconds) => seconds.to_string(),
            None => format!("{}.{:09}", now.as_secs(), now.subsec_nanos()),
        };
        let mut path = format!("{}/events?since={since}&filters={filters}", self.prefix());
        if let Some(seconds) = until {
            path.push_str(&format!("&until={seconds}"));
        }
        let ends = until.is_some();
        let reader = Reader { docker: self.clone(), path, ends, open: None, tale: Tale::default(), over: false };
        stream::unfold(reader, |mut reader| async move {
            if reader.over {
                return None;
            }
            let told = reader.next().await?;
            reader.over = told.is_err();
            Some((told, reader))
        })
    }
}

/// Reads the engine's events as they come, by HTTP/1.0: what has no end needs no chunks.
struct Reader {
    docker: Docker,
    path: String,
    /// The engine ends the stream at a moment that was asked for.
    ends: bool,
    open: Option<Stream>,
    tale: Tale,
    over: bool,
}

impl Reader {
    /// The next; `None` where the stream ended as it was asked to.
    async fn next(&mut self) -> Option<Result<Told>> {
        loop {
            match self.tale.next_event() {
                Some(Ok(told)) => return Some(Ok(told)),
                Some(Err(TooLong)) => return Some(Err(self.lost("sent an event without an end"))),
                None => {}
            }
            if self.open.is_none() {
                match self.docker.asked("events", self.connect()).await {
                    Ok(open) => self.open = Some(open),
                    Err(error) => return Some(Err(error)),
                }
            }
            let Some(open) = &mut self.open else { continue };
            let mut piece = vec![0; PIECE];
            match open.read(&mut piece).await {
                Ok(0) if self.ends => return None,
                Ok(0) => return Some(Err(self.lost("closed the stream of events; it has stopped or is restarting"))),
                Ok(count) => self.tale.push(&piece[..count]),
                Err(error) => return Some(Err(self.lost(&format!("broke off the stream of events ({error})")))),
            }
        }
    }

    fn lost(&self, what: &str) -> EngineError {
        EngineError::new(ErrorKind::Lost, format!("the engine at {} {what}", self.docker.info.endpoint))
    }

    async fn connect(&self) -> Result<Stream> {
        let failed = |error: std::io::Error| super::errors::connection(&error, &self.docker.info.endpoint);
        let mut stream = self.docker.endpoint.dial().await.map_err(failed)?;
        let request = format!("GET {} HTTP/1.0\r\nHost: engine\r\n\r\n", self.path);
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > PIECE {
                return Err(self.lost("answers without an end of headers"));
            }
            head.push(stream.read_u8().await.map_err(failed)?);
        }
        let mut answer = Answer::new(String::from_utf8_lossy(&head).into_owned(), Vec::new());
        if answer.status != 200 {
            let mut body = (&mut stream).take(PIECE as u64);
            body.read_to_end(&mut answer.body).await.map_err(failed)?;
        }
        answer.is_good().map(|()| stream)
    }
}

/// For a query.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn event_of(told: Told) -> EngineEvent {
    let get = |name: &str| told.attributes.get(name).map(String::as_str).unwrap_or_default();
    EngineEvent {
        service: ServiceName::new(get(SERVICE)),
        number: get(NUMBER).parse().unwrap_or_default(),
        time: told.time_nano,
        oneoff: get(ONEOFF).eq_ignore_ascii_case("true"),
        action: action_of(&told.action, get("exitCode")),
        container: ContainerId::new(told.id),
    }
}

fn action_of(word: &str, exit_code: &str) -> Action {
    match word {
        "create" => Action::Create,
        "start" => Action::Start,
        // Podman says `died` and `remove`.
        "die" | "died" => Action::Die(exit_code.parse().unwrap_or_default()),
        "destroy" | "remove" => Action::Destroy,
        "oom" => Action::OutOfMemory,
        "health_status: healthy" => Action::Health(Health::Healthy),
        "health_status: unhealthy" => Action::Health(Health::Unhealthy),
        "health_status: starting" => Action::Health(Health::Starting),
        other => Action::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read() {
        let json = r#"{"status":"die","id":"0f","Type":"container","Action":"die","Actor":{"ID":"0f","Attributes":
            {"com.docker.compose.service":"db","com.docker.compose.container-number":"2",
             "com.docker.compose.oneoff":"False","exitCode":"137","name":"x"}},"scope":"local","time":1,"timeNano":1}"#;
        let mut tale = Tale::default();
        tale.push(format!("{}\n", json.replace('\n', " ")).as_bytes());
        let event = event_of(tale.next_event().unwrap().unwrap());
        assert_eq!((&event.action, event.time), (&Action::Die(137), 1));
        assert_eq!((event.service.as_str(), event.number, event.oneoff), ("db", 2, false));
    }

    #[test]
    fn words() {
        for (word, action) in [
            ("health_status: unhealthy", Action::Health(Health::Unhealthy)),
            ("destroy", Action::Destroy),
            ("exec_die", Action::Other("exec_die".into())),
            ("oom", Action::OutOfMemory),
        ] {
            assert_eq!(action_of(word, ""), action);
        }
    }
}
