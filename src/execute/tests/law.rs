//! The law of `up` on random projects, with random failures on the way.

use std::collections::HashSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::assert_in_order;
use crate::engine::ErrorKind;
use crate::engine::fake::{FakeEngine, Script};
use crate::execute::RunOptions;
use crate::execute::testing::{Rig, project};
use crate::model::{Health, Project};

/// A small project: what each service is, and what it needs of those before it.
#[derive(Clone, Debug)]
struct Shape {
    built: bool,
    scale: u32,
    needs: u8,
    conditions: u8,
    volume: bool,
    networks: u8,
    check: bool,
    job: bool,
    restart: bool,
}

fn shape() -> impl Strategy<Value = Shape> {
    (any::<[bool; 5]>(), 1..=2_u32, any::<[u8; 2]>(), 0..4_u8).prop_map(
        |([built, volume, check, job, restart], scale, [needs, conditions], networks)| Shape {
            built,
            scale,
            needs,
            conditions,
            volume,
            networks,
            check,
            job,
            restart,
        },
    )
}

fn random_project(shapes: &[Shape]) -> (Project, Vec<String>) {
    let mut services = serde_json::Map::new();
    let needed = |index: usize| shapes.iter().skip(index + 1).any(|later| later.needs & (1 << index) != 0);
    // A job that nobody waits for is started again by each `up`, as Compose does.
    let is_job = |index: usize| shapes[index].job && needed(index);
    for (index, shape) in shapes.iter().enumerate() {
        let mut needs = serde_json::Map::new();
        for other in (0..index).filter(|other| shape.needs & (1 << other) != 0) {
            let condition = match (is_job(other), shapes[other].check, shape.conditions & (1 << other) != 0) {
                (true, _, _) => "service_completed_successfully",
                (false, true, true) => "service_healthy",
                _ => "service_started",
            };
            let restart = shape.restart && !is_job(index);
            needs.insert(format!("s{other}"), json!({"condition": condition, "required": true, "restart": restart}));
        }
        let mut networks = serde_json::Map::new();
        for (bit, name) in [(1, "default"), (2, "back")] {
            if shape.networks & bit != 0 {
                networks.insert(name.to_owned(), Value::Null);
            }
        }
        let mut service = json!({"scale": shape.scale, "depends_on": needs, "networks": networks});
        if shape.built {
            service["build"] = json!({"context": format!("/src/s{index}")});
        } else {
            service["image"] = json!(format!("image{}", index % 2));
        }
        if shape.check {
            service["healthcheck"] = json!({"test": ["CMD", "x"]});
        }
        if shape.volume {
            service["volumes"] = json!([{"type": "volume", "source": "data", "target": "/data"},
                {"type": "volume", "target": "/cache"}]);
        }
        services.insert(format!("s{index}"), service);
    }
    let mut project = project(Value::Object(services));
    for name in ["default", "back"] {
        project.networks.insert(name.to_owned(), serde_json::from_value(json!({"name": format!("p_{name}")})).unwrap());
    }
    project.volumes.insert("data".to_owned(), serde_json::from_value(json!({"name": "p_data"})).unwrap());
    (project, (0..shapes.len()).filter(|index| is_job(*index)).map(|index| format!("s{index}")).collect())
}

fn scripted(project: &Project, jobs: &[String]) -> Rig {
    let rig = Rig::new(project.clone());
    for service in project.services.values() {
        let script = if jobs.iter().any(|job| *job == *service.name) {
            Script { exits: Some((Duration::from_secs(2), 0)), ..Script::default() }
        } else {
            Script { health: Some((Duration::from_secs(1), Health::Healthy)), ..Script::default() }
        };
        rig.engine.script(&service.name, script);
    }
    rig
}

/// Runs `up` until it succeeds; each run uses up at least one of the injected failures.
async fn converge(rig: &Rig, failures: usize, keep_going: bool) {
    for _ in 0..=failures {
        let options = RunOptions { keep_going, ..RunOptions::default() };
        if rig.up(&options).await.is_success() {
            break;
        }
    }
    let again = rig.plan().await;
    assert!(again.is_empty(), "nothing should be left to do, but:\n{again}\nafter {:#?}", rig.engine.journal());
    assert_in_order(&rig.events);
}

/// Lets some of these calls fail once.
fn inject(engine: &FakeEngine, calls: &[String], chosen: &[proptest::sample::Index]) -> usize {
    let calls: HashSet<&String> = chosen.iter().filter(|_| !calls.is_empty()).map(|index| index.get(calls)).collect();
    for call in &calls {
        engine.fail_next(call, ErrorKind::Other);
    }
    calls.len()
}

fn virtual_time(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(test);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// The law: what was carried out leaves nothing to do; and whatever fails on the way, the next run puts it right.
    #[test]
    fn up_converges_whatever_fails(
        shapes in prop::collection::vec(shape(), 1..5),
        first in prop::collection::vec(any::<proptest::sample::Index>(), 0..4),
        second in prop::collection::vec(any::<proptest::sample::Index>(), 0..4),
        changed in any::<u8>(),
        keep_going in any::<bool>(),
    ) {
        virtual_time(async {
            let (project, jobs) = random_project(&shapes);
            let change = |rig: &mut Rig| {
                let mut project = (*rig.project).clone();
                for (index, service) in project.services.values_mut().enumerate() {
                    if changed & (1 << index) != 0 {
                        service.environment.insert("CHANGED".into(), Some("1".into()));
                    }
                    if changed & (16 << index) != 0 {
                        rig.sources.write(&format!("/src/s{index}/file"), "changed");
                    }
                }
                rig.project = project.into();
            };
            // Without failures, to learn which calls there are.
            let mut calm = scripted(&project, &jobs);
            converge(&calm, 0, keep_going).await;
            let making = calm.engine.take_journal();
            change(&mut calm);
            converge(&calm, 0, keep_going).await;
            let changing = calm.engine.take_journal();

            let mut rough = scripted(&project, &jobs);
            let failures = inject(&rough.engine, &making, &first);
            converge(&rough, failures, keep_going).await;
            change(&mut rough);
            let failures = inject(&rough.engine, &changing, &second);
            converge(&rough, failures, keep_going).await;
        });
    }
}
