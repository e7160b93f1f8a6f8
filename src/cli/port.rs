//! `hob port`.

use super::args::PortArgs;
use super::context::{Context, not_running};
use super::exit::{Exit, Failure};
use crate::event::Event;
use crate::model::ObservedContainer;
use crate::ui::docker;

/// Prints where a port is published.
pub async fn run(context: &Context, args: &PortArgs) -> anyhow::Result<Exit> {
    let seen = context.seen(std::slice::from_ref(&args.service), false).await?;
    let own = |container: &&ObservedContainer| *container.service == args.service && !container.oneoff;
    let mut containers: Vec<&ObservedContainer> = seen.containers.iter().filter(own).collect();
    containers.sort_by_key(|container| container.number);
    let index = args.index.unwrap_or_default();
    // Nought is none, as in Compose. Without a number it is the first that runs, whatever its number is.
    let found = containers.into_iter().find(|container| index == 0 || container.number == index);
    let Some(container) = found else {
        return Err(not_running(&args.service, args.index.filter(|index| *index != 0)).into());
    };
    let mut ports: Vec<_> = container.ports.iter().collect();
    ports.sort_by(|a, b| (&a.host_ip, a.host_port).cmp(&(&b.host_ip, b.host_port)));
    let wanted = ports.iter().find(|port| port.container_port == args.port && port.protocol == args.protocol);
    let Some(port) = wanted else {
        let known: Vec<String> =
            ports.iter().map(|port| format!("{}/{}", port.container_port, port.protocol)).collect();
        let text =
            format!("no port {}/{} for container {}: {}", args.port, args.protocol, container.name, known.join(", "));
        return Err(Failure::new(Exit::Failed, text).into());
    };
    context.sink.emit(Event::Output { text: docker::address(&port.host_ip, port.host_port) });
    Ok(Exit::Ok)
}
