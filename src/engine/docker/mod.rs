//! The real engine: whatever answers Docker's API. The only layer that names bollard. Features are detected (an API
//! version, an answer of the engine), never a product's name.
//!
//! bollard sends its requests without a version in the path, so that an engine answers in its newest dialect; the
//! connection made here puts the negotiated version in front of every path.

mod archive;
mod auth;
mod build;
mod config;
mod connection;
mod endpoint;
mod errors;
mod events;
mod images;
mod info_cache;
mod layers;
mod left;
mod lifecycle;
mod networks;
mod observe;
mod owner;
mod patience;
mod program;
mod proxies;
mod raw;
mod requests;
mod settle;
mod streams;
mod surroundings;
mod time;
pub mod told;
mod usage;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    BoxStream, BuildSink, BuildSpec, Built, Chunk, CommitSpec, Engine, EngineEvent, ExecSpec, Exit, Happening,
    LayerSpec, LogQuery, PathStat, PullSink, Query, Result, Session, Usage,
};
use crate::model::{
    ContainerId, ContainerSpec, EngineInfo, HealthProbe, ImageId, Look, NetworkId, NetworkSpec, Observed,
    ObservedContainer, ObservedImage, ObservedVolume, Processes, VolumeSpec,
};

pub use connection::Docker;
pub use endpoint::Endpoint;
pub use owner::Owner;
pub use surroundings::Surroundings;

/// The grace of a container that has its own: longer than anybody gives.
const UNKNOWN_GRACE: Duration = Duration::from_hours(24);

#[async_trait]
impl Engine for Docker {
    fn info(&self) -> &EngineInfo {
        &self.info
    }
    async fn verify_info(&self) -> Result<()> {
        self.verify_info().await
    }
    async fn observe(&self, query: &Query) -> Result<Observed> {
        self.asked("the project's containers", self.observe(query)).await
    }
    async fn containers(&self, project: Option<&str>, all: bool) -> Result<Vec<ObservedContainer>> {
        self.asked("containers", self.containers(project, all)).await
    }
    async fn volumes(&self, project: &str) -> Result<Vec<ObservedVolume>> {
        self.asked("the project's volumes", self.volumes_of(project)).await
    }
    async fn processes(&self, id: &ContainerId) -> Result<Option<Processes>> {
        self.asked(&format!("the processes of container {}", id.short()), self.processes(id)).await
    }
    async fn image(&self, reference: &str) -> Result<Option<ObservedImage>> {
        self.asked(&format!("image {reference}"), self.image(reference)).await
    }
    async fn registry_digest(&self, reference: &str) -> Result<String> {
        self.while_there(&format!("the registry of {reference}"), self.registry_digest(reference)).await
    }
    async fn pull(&self, reference: &str, platform: Option<&str>, progress: &PullSink) -> Result<()> {
        self.while_there(&format!("the pull of {reference}"), self.pull(reference, platform, progress)).await
    }
    async fn build(&self, spec: &BuildSpec, progress: &BuildSink) -> Result<Built> {
        self.while_there("a build", self.build(spec, progress)).await
    }
    async fn layer(&self, spec: &LayerSpec, progress: &BuildSink) -> Result<ImageId> {
        self.while_there("a layer", self.layer(spec, progress)).await
    }
    async fn stat_in_image(&self, image: &str, without: usize, paths: &[String]) -> Result<Vec<Option<Look>>> {
        self.changed(&format!("a look into image {image}"), Duration::ZERO, self.stat_in_image(image, without, paths))
            .await
    }
    async fn tag(&self, image: &str, name: &str) -> Result<()> {
        self.asked(&format!("the name {name}"), self.tag(image, name)).await
    }
    async fn remove_image(&self, reference: &str) -> Result<()> {
        self.changed(&format!("the removal of image {reference}"), Duration::ZERO, self.remove_image(reference)).await
    }
    async fn images(&self, labels: &[String]) -> Result<Vec<ObservedImage>> {
        self.asked("images", self.images(labels)).await
    }
    async fn clear_left(&self, project: Option<&str>) -> Result<()> {
        self.clear_left(project).await
    }
    async fn settle(&self, tell: &(dyn Fn(String) + Sync)) -> Result<()> {
        self.settle(tell).await
    }
    async fn used_images(&self) -> Result<BTreeSet<ImageId>> {
        self.asked("the images of containers", self.used_images()).await
    }
    async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId> {
        self.changed(&format!("network {}", spec.name), Duration::ZERO, self.create_network(spec)).await
    }
    async fn remove_network(&self, name: &str) -> Result<()> {
        self.changed(&format!("the removal of network {name}"), Duration::ZERO, self.remove_network(name)).await
    }
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        self.changed(&format!("volume {}", spec.name), Duration::ZERO, self.create_volume(spec)).await
    }
    async fn remove_volume(&self, name: &str) -> Result<()> {
        self.changed(&format!("the removal of volume {name}"), Duration::ZERO, self.remove_volume(name)).await
    }
    async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        self.changed(&format!("the creation of container {}", spec.name), Duration::ZERO, self.create_container(spec))
            .await
    }
    async fn start(&self, id: &ContainerId) -> Result<()> {
        self.changed(&format!("the start of container {}", id.short()), Duration::ZERO, self.start(id)).await
    }
    async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.changed(
            &format!("the stop of container {}", id.short()),
            grace.unwrap_or(UNKNOWN_GRACE),
            self.stop(id, grace),
        )
        .await
    }
    async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()> {
        self.changed(&format!("a signal to container {}", id.short()), Duration::ZERO, self.kill(id, signal)).await
    }
    async fn pause(&self, id: &ContainerId) -> Result<()> {
        self.changed(&format!("the pause of container {}", id.short()), Duration::ZERO, self.pause(id)).await
    }
    async fn unpause(&self, id: &ContainerId) -> Result<()> {
        self.changed(&format!("the end of the pause of container {}", id.short()), Duration::ZERO, self.unpause(id))
            .await
    }
    async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        self.changed(
            &format!("the restart of container {}", id.short()),
            grace.unwrap_or(UNKNOWN_GRACE),
            self.restart(id, grace),
        )
        .await
    }
    async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        self.changed(
            &format!("the removal of container {}", id.short()),
            Duration::ZERO,
            self.remove_container(id, volumes),
        )
        .await
    }
    async fn rename(&self, id: &ContainerId, name: &str) -> Result<()> {
        self.asked(&format!("the new name {name}"), self.rename(id, name)).await
    }
    async fn inspect(&self, id: &ContainerId) -> Result<Option<ObservedContainer>> {
        self.asked(&format!("container {}", id.short()), self.inspect(id)).await
    }
    async fn health_log(&self, id: &ContainerId) -> Result<Vec<HealthProbe>> {
        self.asked(&format!("the health of container {}", id.short()), self.health_log(id)).await
    }
    async fn wait(&self, id: &ContainerId) -> Result<i64> {
        self.while_there(&format!("the wait for container {}", id.short()), self.wait(id)).await
    }
    async fn exit(&self, id: &ContainerId) -> Result<Exit> {
        self.exit(id).await
    }
    async fn logs(&self, id: &ContainerId, query: &LogQuery) -> Result<BoxStream<Result<Chunk>>> {
        Ok(self.logs(id, query))
    }
    async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()> {
        self.changed(&format!("files for container {}", id.short()), Duration::ZERO, self.upload(id, folder, tar)).await
    }
    async fn upload_parts(&self, id: &ContainerId, folder: &str, tar: BoxStream<std::io::Result<Bytes>>) -> Result<()> {
        // As long as files are sent that is no wait.
        self.while_there(&format!("files for container {}", id.short()), self.upload_parts(id, folder, tar)).await
    }
    async fn file_size(&self, id: &ContainerId, path: &str) -> Result<Option<u64>> {
        self.asked(&format!("{path} of container {}", id.short()), self.file_size(id, path)).await
    }

    async fn stat(&self, id: &ContainerId, path: &str) -> Result<Option<PathStat>> {
        self.asked(&format!("{path} of container {}", id.short()), self.stat(id, path)).await
    }
    async fn download(&self, id: &ContainerId, path: &str) -> Result<BoxStream<Result<Bytes>>> {
        Ok(self.download(id, path))
    }
    async fn extract(
        &self,
        id: &ContainerId,
        folder: &str,
        tar: BoxStream<std::io::Result<Bytes>>,
        copy_owner: bool,
    ) -> Result<()> {
        let work = self.extract(id, folder, tar, copy_owner);
        self.while_there(&format!("files for container {}", id.short()), work).await
    }
    async fn export(&self, id: &ContainerId) -> Result<BoxStream<Result<Bytes>>> {
        Ok(self.export(id))
    }
    async fn commit(&self, id: &ContainerId, spec: &CommitSpec) -> Result<ImageId> {
        self.while_there(&format!("an image of container {}", id.short()), self.commit(id, spec)).await
    }

    async fn lacks_program(&self, id: &ContainerId, wrapper: &[&str]) -> Result<Option<String>> {
        self.asked(&format!("the program of container {}", id.short()), self.lacks_program(id, wrapper)).await
    }

    async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool> {
        self.asked(&format!("{path} of container {}", id.short()), self.is_link(id, path)).await
    }
    async fn output(&self, id: &ContainerId) -> Result<BoxStream<Result<Chunk>>> {
        Ok(self.asked(&format!("the streams of container {}", id.short()), self.attach(id, false)).await?.output)
    }
    async fn attach(&self, id: &ContainerId) -> Result<Session> {
        self.asked(&format!("the streams of container {}", id.short()), self.attach(id, true)).await
    }
    async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()> {
        self.asked(&format!("the terminal of container {}", id.short()), self.resize(id, columns, rows)).await
    }
    async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Session> {
        self.asked(&format!("a command in container {}", id.short()), self.exec(id, spec)).await
    }
    async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>> {
        self.asked("the exit code of a command", self.exec_exit_code(exec)).await
    }
    async fn exec_resize(&self, exec: &str, columns: u16, rows: u16) -> Result<()> {
        self.asked("the terminal of a command", self.exec_resize(exec, columns, rows)).await
    }
    async fn events(&self, project: &str) -> Result<BoxStream<Result<EngineEvent>>> {
        Ok(self.events(project))
    }
    async fn happenings(
        &self,
        project: &str,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Result<BoxStream<Result<Happening>>> {
        Ok(self.happenings(project, since, until))
    }
    async fn usage(&self, id: &ContainerId) -> Result<BoxStream<Result<Usage>>> {
        Ok(self.usage(id))
    }
    async fn ping(&self) -> Result<()> {
        self.asked("whether it is there", async { self.api.ping().await.map(drop).map_err(|error| self.error(error)) })
            .await
    }
    async fn port_holder(&self, port: u16, protocol: &str) -> Result<Option<String>> {
        self.asked(&format!("who has port {port}"), self.port_holder(port, protocol)).await
    }
    async fn projects(&self) -> Result<Vec<(String, usize)>> {
        self.asked("projects", self.projects()).await
    }
}
