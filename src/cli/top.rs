//! `hob top`.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::args::TopArgs;
use super::context::Context;
use super::exit::Exit;
use super::seen::of;
use crate::event::{Event, Layout};
use crate::model::{ContainerState, ObservedContainer, Processes};

/// Containers that are asked side by side.
const AT_ONCE: usize = 16;

/// Shows processes.
pub async fn run(context: &Context, args: &TopArgs) -> anyhow::Result<Exit> {
    let seen = context.seen(&[], false).await?;
    let has_processes = |container: &&ObservedContainer| container.state != ContainerState::Restarting;
    let mut containers: Vec<&ObservedContainer> = of(&seen.containers, &args.services).filter(has_processes).collect();
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    let look = async |container: ObservedContainer| {
        // One that has ended in between has none.
        let processes = seen.engine.processes(&container.id).await?;
        anyhow::Ok(processes.map(|processes| (container, processes)))
    };
    let found: Vec<_> = stream::iter(containers.into_iter().cloned()).map(look).buffered(AT_ONCE).try_collect().await?;
    let found: Vec<(ObservedContainer, Processes)> = found.into_iter().flatten().collect();
    if !found.is_empty() {
        context.sink.emit(table(&found));
    }
    Ok(Exit::Ok)
}

/// One table for all: a column that a container's processes do not have is `-`.
fn table(found: &[(ObservedContainer, Processes)]) -> Event {
    let mut titles: Vec<&String> = Vec::new();
    for title in found.iter().flat_map(|(_, processes)| &processes.titles) {
        if !titles.contains(&title) {
            titles.push(title);
        }
    }
    let mut rows = Vec::new();
    for (container, processes) in found {
        // One that `run` made has no number.
        let number = if container.number == 0 { String::new() } else { container.number.to_string() };
        for row in &processes.rows {
            let cell = |title: &&String| {
                let at = processes.titles.iter().position(|own| own == *title);
                at.and_then(|at| row.get(at)).cloned().unwrap_or_else(|| "-".to_owned())
            };
            let own = [container.service.to_string(), number.clone()];
            rows.push(own.into_iter().chain(titles.iter().map(cell)).collect());
        }
    }
    let head = ["SERVICE".to_owned(), "#".to_owned()].into_iter().chain(titles.into_iter().cloned()).collect();
    Event::Table { head, rows, layout: Layout::TOP }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_table_for_all() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let container = |service: &str, number| ObservedContainer {
            service: service.into(),
            number,
            ..ObservedContainer::default()
        };
        let found = [
            (container("a", 1), Processes { titles: words("PID CMD"), rows: vec![words("7 sleep"), words("8 sh")] }),
            (container("b", 0), Processes { titles: words("PID USER"), rows: vec![words("9 root")] }),
        ];
        let Event::Table { head, rows, .. } = table(&found) else { panic!("it is a table") };
        assert_eq!(head, words("SERVICE # PID CMD USER"));
        assert_eq!(rows, [words("a 1 7 sleep -"), words("a 1 8 sh -"), words("b  9 - root")]);
    }
}
