//! What a plan did to each service, in one word and with its reason.

use indexmap::IndexMap;

use crate::event::{Did, Event};
use crate::model::ServiceName;
use crate::plan::{Op, Plan, Step};

#[derive(Default)]
struct Ops<'a> {
    created: Option<&'a Step>,
    removed: Option<&'a Step>,
    restarted: Option<&'a Step>,
    started: Option<&'a Step>,
    stopped: Option<&'a Step>,
    paused: Option<&'a Step>,
    unpaused: Option<&'a Step>,
    built: Option<&'a Step>,
}

/// What the steps that were done come to.
pub fn changes(plan: &Plan, is_done: impl Fn(usize) -> bool) -> Vec<Event> {
    let mut services: IndexMap<&ServiceName, Ops<'_>> = IndexMap::new();
    let done = plan.steps.iter().enumerate().filter(|(id, _)| is_done(*id)).map(|(_, step)| step);
    for step in done {
        let Some(service) = &step.service else { continue };
        let ops = services.entry(service).or_default();
        let slot = match &step.op {
            Op::Create(_) => &mut ops.created,
            Op::Remove { .. } => &mut ops.removed,
            Op::Restart { .. } => &mut ops.restarted,
            Op::Start { .. } => &mut ops.started,
            Op::Stop { .. } | Op::Kill { .. } => &mut ops.stopped,
            Op::Pause { .. } => &mut ops.paused,
            Op::Unpause { .. } => &mut ops.unpaused,
            Op::Build { .. } => &mut ops.built,
            _ => continue,
        };
        slot.get_or_insert(step);
    }
    let event = |(service, ops): (&ServiceName, Ops<'_>)| {
        let (did, step) = match ops {
            Ops { created: Some(step), removed: Some(_), .. } => (Did::Recreated, step),
            Ops { created: Some(step), .. } => (Did::Created, step),
            Ops { restarted: Some(step), .. } => (Did::Restarted, step),
            Ops { started: Some(step), .. } => (Did::Started, step),
            Ops { removed: Some(step), .. } => (Did::Removed, step),
            Ops { stopped: Some(step), .. } => (Did::Stopped, step),
            Ops { paused: Some(step), .. } => (Did::Paused, step),
            Ops { unpaused: Some(step), .. } => (Did::Unpaused, step),
            Ops { built: Some(step), .. } => (Did::Built, step),
            _ => return None,
        };
        Some(Event::Changed { service: service.clone(), did, reason: step.reason.clone() })
    };
    services.into_iter().filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Create, Reason};

    #[test]
    fn a_service_is_told_of_once() {
        let mut plan = Plan::default();
        let (api, db) = (ServiceName::new("api"), ServiceName::new("db"));
        let of = |name: &str| name.to_owned();
        let create = Create { spec: crate::model::ContainerSpec::default(), agent: false };
        let why = Reason::Config(vec!["environment.MODE".into()]);
        plan.push(Op::Create(Box::new(create)), Some(&api), why, Vec::new());
        plan.push(Op::Stop { container: of("api"), grace: None }, Some(&api), Reason::Replaced, vec![0]);
        plan.push(Op::Remove { container: of("api"), volumes: false }, Some(&api), Reason::Replaced, vec![1]);
        plan.push(Op::Start { container: of("api") }, Some(&api), Reason::Replaces, vec![2]);
        plan.push(Op::Restart { container: of("db"), grace: None }, Some(&db), Reason::Asked("restart"), Vec::new());
        let told = |done: &[usize]| -> Vec<String> {
            let one = |event| match event {
                Event::Changed { service, did, reason } => format!("{service} {}: {reason}", did.word()),
                other => format!("{other:?}"),
            };
            changes(&plan, |id| done.contains(&id)).into_iter().map(one).collect()
        };
        assert_eq!(
            told(&[0, 1, 2, 3, 4]),
            ["api recreated: environment.MODE changed", "db restarted: requested by `restart`"]
        );
        assert_eq!(told(&[0]), ["api created: environment.MODE changed"]);
        assert_eq!(told(&[]), [] as [&str; 0]);
    }
}
