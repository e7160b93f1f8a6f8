//! One step is one action on the engine.

use std::sync::Arc;

use super::executor::{Executor, RunOptions};
use super::hooks::Of;
use super::wait::Wait;
use super::{Failure, hooks};
use crate::engine::{EngineError, ErrorKind};
use crate::event::{Event, Hold};
use crate::model::{ContainerId, Project, ServiceName};
use crate::plan::{Op, Step, StepId};

impl Executor {
    pub(super) async fn perform(
        &self,
        project: &Arc<Project>,
        id: StepId,
        step: &Step,
        options: &RunOptions,
    ) -> Result<(), Failure> {
        let engine = &*self.engine;
        let held = |on: Hold| {
            self.sink.emit(Event::StepHeld { step: id, service: step.service.clone(), on });
        };
        let service = step.service.as_ref().and_then(|name| project.services.get(name));
        let result = match &step.op {
            Op::CreateNetwork(spec) => engine.create_network(spec).await.map(drop),
            Op::RemoveNetwork { id, .. } => engine.remove_network(id.as_str()).await,
            Op::CreateVolume(spec) => engine.create_volume(spec).await,
            Op::RemoveVolume { name } => engine.remove_volume(name).await,
            Op::Pull { image, platform } => {
                let sink = Arc::clone(&self.sink);
                let name = image.clone();
                let progress = move |p: crate::engine::PullProgress| {
                    sink.emit(Event::Pulling { image: name.clone(), current: p.current, total: p.total });
                };
                let _turn = self.builds.pull().await;
                engine.pull(image, platform.as_deref(), &progress).await
            }
            Op::Build { services, image, names } => {
                self.build(project, services, image, names).await?;
                if let Some(service) = services.first().filter(|_| !options.keep_images) {
                    self.prunes.note(&self.engine, &project.name, service);
                }
                return Ok(());
            }
            Op::Tag { image, name } => self.name(image, vec![name.clone()]).await,
            Op::RemoveImage { image } => engine.remove_image(image).await,
            Op::Create(create) => self.create(create).await,
            Op::Rename { container, name } => engine.rename(&ContainerId::new(container), name).await,
            Op::BeforeStart { runs } => {
                for run in runs {
                    tokio::select! {
                        biased;
                        result = hooks::before_start(engine, run, &held) => result?,
                        () = options.cancel.cancelled() => {
                            engine.remove_container(&ContainerId::new(&run.name), true).await.map_err(|error| {
                                Failure::of_engine(step.service.as_ref(), error)
                            })?;
                            return Ok(());
                        }
                    }
                }
                return Ok(());
            }
            Op::Start { container } => {
                let attached = match &options.at_start {
                    Some(at_start) => at_start.attach(step.service.as_ref(), container).await,
                    None => None,
                };
                let result = match self.agents.provide_again().await {
                    Ok(()) => engine.start(&ContainerId::new(container)).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = result {
                    if let Some(attached) = attached {
                        attached.give_up();
                    }
                    return Err(self.start_failure(step.service.as_ref(), error).await);
                }
                if let Some(failure) = super::program::missing(engine, step.service.as_ref(), container).await {
                    return Err(failure);
                }
                let container = ContainerId::new(container);
                let hooks = Of { engine, project: Some(project), service, container: &container };
                return tokio::select! {
                    biased;
                    result = hooks.after_start(&held) => result,
                    // What runs in the container ends with it.
                    () = options.cancel.cancelled() => Ok(()),
                };
            }
            Op::Stop { container, grace } => {
                let container = ContainerId::new(container);
                let hooks = Of { engine, project: Some(project), service, container: &container };
                hooks.before_stop(&held).await?;
                engine.stop(&container, *grace).await
            }
            Op::Kill { container, signal } => engine.kill(&ContainerId::new(container), signal).await,
            Op::Pause { container } => engine.pause(&ContainerId::new(container)).await,
            Op::Unpause { container } => engine.unpause(&ContainerId::new(container)).await,
            Op::Restart { container, grace } => {
                let container = ContainerId::new(container);
                let hooks = Of { engine, project: Some(project), service, container: &container };
                return hooks.restart(*grace, &held).await;
            }
            Op::Remove { container, volumes } => engine.remove_container(&ContainerId::new(container), *volumes).await,
            Op::Wait { containers, until, optional } => {
                let (service, until) = (step.service.as_ref(), *until);
                let (limit, beside) = (options.wait_timeout, options.beside.as_deref());
                let wait = Wait { service, containers, until, limit, beside };
                return match wait.run(engine, &held).await {
                    Ok(told) => {
                        for message in told {
                            self.sink.emit(Event::Warning(message));
                        }
                        Ok(())
                    }
                    Err(failure) if *optional => {
                        let mut message = failure.message;
                        message.text =
                            format!("{}; what needs it has `required: false` and starts without", message.text);
                        self.sink.emit(Event::Warning(message));
                        Ok(())
                    }
                    Err(failure) => Err(failure),
                };
            }
        };
        result.map_err(|error| Failure::of_engine(step.service.as_ref(), error))
    }

    /// A container that does not start: names who holds the port. It has written nothing: its log is of earlier runs.
    async fn start_failure(&self, service: Option<&ServiceName>, error: EngineError) -> Failure {
        let port = match error.kind {
            ErrorKind::PortTaken { port } => Some(port),
            _ => None,
        };
        let program = match &error.kind {
            ErrorKind::NoProgram { program } => program.clone(),
            _ => None,
        };
        let mut failure = Failure::of_engine(service, error);
        if let Some(program) = program {
            super::program::explain(&mut failure, &program);
        }
        if let Some(port) = port {
            let holder = match self.engine.port_holder(port, "tcp").await {
                Ok(Some(holder)) => Some(format!("container {holder}")),
                _ => crate::host::ports::holder(None, port).map(|holder| holder.to_string()),
            };
            if let Some(holder) = holder {
                failure.message.text = format!("port {port} of the host is taken by {holder}");
            }
        }
        failure
    }
}
