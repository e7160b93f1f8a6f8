//! What happens to a project's containers.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::{StreamExt as _, future, stream};

use super::Docker;
use super::observe::{NUMBER, ONEOFF, PROJECT, SERVICE, made_for};
use crate::engine::{Action, BoxStream, EngineError, EngineEvent, ErrorKind, Result};
use crate::model::{ContainerId, Health, ServiceName};

impl Docker {
    pub(super) fn events(&self, project: &str) -> BoxStream<Result<EngineEvent>> {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            made_for(&format!("{PROJECT}={project}")),
        ]);
        // The request goes out when the stream is first polled; the engine keeps its last events, and `since` makes
        // it hand over those that happened in between.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = format!("{}.{:09}", now.as_secs(), now.subsec_nanos());
        let options = EventsOptions { since: Some(since), until: None, filters: Some(filters) };
        let docker = self.clone();
        let events = self.api.events(Some(options)).filter_map(move |message| {
            future::ready(match message {
                Ok(message) => event_of(message).map(Ok),
                Err(error) => Some(Err(docker.error(error))),
            })
        });
        let ended = EngineError::new(
            ErrorKind::Lost,
            format!(
                "the engine at {} closed the stream of events; it has stopped or is restarting",
                self.info.endpoint
            ),
        );
        Box::pin(events.chain(stream::once(future::ready(Err(ended)))))
    }
}

fn event_of(message: EventMessage) -> Option<EngineEvent> {
    let actor = message.actor?;
    let attributes = actor.attributes.unwrap_or_default();
    let get = |name: &str| attributes.get(name).map(String::as_str).unwrap_or_default();
    Some(EngineEvent {
        container: ContainerId::new(actor.id?),
        service: ServiceName::new(get(SERVICE)),
        number: get(NUMBER).parse().unwrap_or_default(),
        time: message.time_nano.unwrap_or_default(),
        oneoff: get(ONEOFF).eq_ignore_ascii_case("true"),
        action: action_of(&message.action?, get("exitCode")),
    })
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
        let event = event_of(serde_json::from_str(json).unwrap()).unwrap();
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
