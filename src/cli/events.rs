//! `hob events`.

use futures_util::StreamExt as _;
use serde_json::json;

use super::args::EventsArgs;
use super::context::Context;
use super::exit::{Exit, Failure};
use crate::engine::Happening;
use crate::event::Event;
use crate::host::signals::Signals;
use crate::host::zone::Zone;
use crate::plan::labels;
use crate::ui::docker;

/// Shows what happens to containers.
pub async fn run(context: &Context, args: &EventsArgs) -> anyhow::Result<Exit> {
    let moment = |text: &String| {
        super::timestamp::parse(text, super::timestamp::now()).map_err(|text| Failure::new(Exit::Usage, text))
    };
    let (since, until) = (args.since.as_ref().map(moment).transpose()?, args.until.as_ref().map(moment).transpose()?);
    let mut signals = Signals::new()?;
    context.ends_with_reader();
    let (project, engine) = context.project_and_engine(&[]).await?;
    let mut happenings = engine.happenings(&project, since, until).await?;
    let zone = context.zone();
    loop {
        let happening = tokio::select! {
            signal = signals.recv() => return Ok(signal.into()),
            () = context.closed.cancelled() => return Ok(Exit::ReaderGone),
            happening = happenings.next() => happening,
        };
        let Some(happening) = happening.transpose()? else { return Ok(Exit::Ok) };
        let Some(told) = Told::of(happening).filter(|told| chosen(told, &args.services)) else { continue };
        let text = if args.json { told.as_json(&zone) } else { told.as_text(&zone) };
        // Who reads slowly is waited for, so that what happens is not kept without a bound.
        context.sink.line(Event::Output { text }).await;
    }
}

fn chosen(told: &Told, services: &[String]) -> bool {
    services.is_empty() || services.contains(&told.service)
}

/// What is shown of something that happened.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    service: String,
    happening: Happening,
}

impl Told {
    /// Without what is Compose's and hob's own among the attributes; `None` for containers that `run` made.
    fn of(mut happening: Happening) -> Option<Self> {
        let attributes = &mut happening.attributes;
        if attributes.get(labels::ONEOFF).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return None;
        }
        let service = attributes.get(labels::SERVICE).cloned().unwrap_or_default();
        attributes.retain(|name, _| !name.starts_with("com.docker.compose.") && !name.starts_with("io.hob."));
        Some(Self { service, happening })
    }

    /// `2026-11-28 07:08:17.079714 container start ID (image=…, name=…)`, and an empty line, as Compose has it.
    fn as_text(&self, zone: &Zone) -> String {
        let Happening { container, action, attributes, time } = &self.happening;
        let (offset, _) = zone.at(time.div_euclid(1_000_000_000));
        let attributes: Vec<String> = attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let stamp = docker::stamp(*time, offset);
        format!("{stamp} container {action} {container} ({})\n\n", attributes.join(", "))
    }

    fn as_json(&self, zone: &Zone) -> String {
        let Happening { container, action, attributes, time } = &self.happening;
        let (offset, _) = zone.at(time.div_euclid(1_000_000_000));
        json!({
            "action": action,
            "attributes": attributes,
            "id": container.as_str(),
            "service": self.service,
            "time": docker::rfc3339(*time, offset),
            "type": "container",
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(oneoff: &str) -> Happening {
        let attributes = [
            ("com.docker.compose.service", "api"),
            ("com.docker.compose.oneoff", oneoff),
            ("io.hob.why", "first"),
            ("name", "shop-api-1"),
            ("image", "busybox:1"),
            ("exitCode", "3"),
        ];
        Happening {
            container: "0a".into(),
            action: "die".into(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            time: 1_795_849_697_079_714_100,
        }
    }

    #[test]
    fn an_event_as_compose_has_it() {
        assert_eq!(Told::of(happening("True")), None);
        let told = Told::of(happening("False")).unwrap();
        let zone = Zone::of(Some("CET-1"));
        assert_eq!(
            told.as_text(&zone),
            "2026-11-28 08:08:17.079714 container die 0a (exitCode=3, image=busybox:1, name=shop-api-1)\n\n"
        );
        assert_eq!(
            told.as_json(&Zone::of(Some(""))),
            r#"{"action":"die","attributes":{"exitCode":"3","image":"busybox:1","name":"shop-api-1"},"id":"0a","service":"api","time":"2026-11-28T07:08:17.0797141Z","type":"container"}"#
        );
        assert!(chosen(&told, &[]) && chosen(&told, &["api".into()]) && !chosen(&told, &["db".into()]));
    }
}
