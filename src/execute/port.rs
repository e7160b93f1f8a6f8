//! Published ports that nobody answers on, and what is known of them.

use std::net::SocketAddr;

use crate::engine::Engine;
use crate::event::Message;
use crate::model::{ObservedContainer, Published, ServiceName};

/// The TCP ports that a container publishes.
pub(super) fn published(container: &ObservedContainer) -> impl Iterator<Item = &Published> {
    container.ports.iter().filter(|port| port.protocol == "tcp" && port.host_port != 0)
}

/// Whether a container publishes no TCP port, or one of those that it does answers.
pub(super) async fn any_answers(engine: &dyn Engine, container: &ObservedContainer) -> bool {
    let mut none = true;
    for port in published(container) {
        none = false;
        if engine.answers(port).await {
            return true;
        }
    }
    none
}

/// What there is to say of a container that publishes ports of which none answers; nothing where the program listens
/// as it should: it may be the way to the port that is blocked, as on an engine that is another machine.
pub(super) async fn silent(
    engine: &dyn Engine,
    service: &ServiceName,
    container: &ObservedContainer,
) -> Option<Message> {
    let mut ports: Vec<u16> = published(container).map(|port| port.container_port).collect();
    ports.dedup();
    told(service, &ports, engine.listeners(&container.id).await.as_deref())
}

fn told(service: &ServiceName, ports: &[u16], listeners: Option<&[SocketAddr]>) -> Option<Message> {
    let names = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let wanted = names(ports);
    let message = |text: String| Message::new(text).service(service);
    let Some(listeners) = listeners else {
        return Some(message(format!("nothing answers on {wanted}")));
    };
    if listeners.iter().any(|at| ports.contains(&at.port()) && !at.ip().is_loopback()) {
        return None;
    }
    let places = listeners.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Some(match listeners.iter().find(|at| ports.contains(&at.port())) {
        Some(at) => message(format!("nothing listens on {wanted}; in the container the program listens on {places}"))
            .hint(format!("let it listen on 0.0.0.0:{}: no published port reaches {}", at.port(), at.ip())),
        None if listeners.is_empty() => {
            message(format!("nothing listens on {wanted}, nor on any other port of the container"))
        }
        None => message(format!("nothing listens on {wanted}; in the container the program listens on {places}"))
            .hint(format!("publish the port that it listens on, or let it listen on 0.0.0.0:{wanted}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said() {
        let at = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let text = |ports: &[u16], listeners: Option<&[&str]>| {
            let listeners = listeners.map(at);
            told(&"web".into(), ports, listeners.as_deref()).map(|m| format!("{} {}", m.text, m.hints.join(" ")))
        };
        assert_eq!(text(&[80], None).unwrap().trim(), "nothing answers on 80");
        assert_eq!(text(&[80], Some(&["0.0.0.0:80"])), None);
        assert_eq!(text(&[80, 90], Some(&["[::]:90"])), None);
        let other = text(&[8000], Some(&["127.0.0.1:5000"])).unwrap();
        assert!(other.starts_with("nothing listens on 8000; in the container the program listens on 127.0.0.1:5000"));
        let loopback = text(&[8000], Some(&["127.0.0.1:8000"])).unwrap();
        assert!(loopback.contains("let it listen on 0.0.0.0:8000"), "{loopback}");
        assert!(text(&[80], Some(&[])).unwrap().contains("any other port"));
    }
}
