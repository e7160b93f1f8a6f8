//! Containers: create, start, stop, remove.

use std::time::Duration;

use bollard::errors::Error as BollardError;
use bollard::models::{ContainerCreateBody, NetworkConnectRequest};
use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, RenameContainerOptions,
    RestartContainerOptions, StartContainerOptions, StopContainerOptions,
};
use bytes::Bytes;

use super::requests::Request;
use super::time::{seconds, whole_seconds};
use super::{Docker, config};
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::labels::INHERITED;
use crate::model::{ContainerId, ContainerSpec, InjectedFile};

impl Docker {
    pub(super) async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let noted = self.requests.note(Request::Create { name: spec.name.clone() });
        noted.ends(self.make(spec).await)
    }

    async fn make(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let mut wanted = config::container_config(spec, self.info.api)?;
        if let Some(owned) = spec.owned {
            wanted.body.labels.get_or_insert_default().extend([self.owner.label(owned)]);
        }
        add_missing(wanted.body.env.get_or_insert_default(), self.proxies.variables().await);
        inline_seccomp_profiles(&mut wanted.body).await?;
        let id = match wanted.mac_address {
            Some(address) => self.create_with_address(spec, &wanted.body, address).await?,
            None => {
                let options = CreateContainerOptions {
                    name: Some(spec.name.clone()),
                    platform: spec.service.platform.clone().unwrap_or_default(),
                };
                let made = self.api.create_container(Some(options), wanted.body).await;
                ContainerId::new(made.map_err(|error| self.error(error))?.id)
            }
        };
        if let Err(error) = self.complete(&id, wanted.connect, &spec.files).await {
            // What is half made would take the name and never be what was asked for.
            let _ = self.removal(&id, true, &[]).await;
            return Err(error);
        }
        Ok(id)
    }

    async fn create_with_address(
        &self,
        spec: &ContainerSpec,
        body: &ContainerCreateBody,
        address: String,
    ) -> Result<ContainerId> {
        let unreadable = |error: &dyn std::fmt::Display| EngineError::new(ErrorKind::Other, error.to_string());
        let mut body = serde_json::to_value(body).map_err(|error| unreadable(&error))?;
        body["MacAddress"] = address.into();
        let (major, minor) = self.info.api;
        let platform = spec.service.platform.as_deref().map(|name| format!("&platform={name}")).unwrap_or_default();
        let path = format!("/v{major}.{minor}/containers/create?name={}{platform}", spec.name);
        let answer = self.endpoint.post(&path, &body).await.map_err(|error| unreadable(&error))?;
        answer.is_good()?;
        let made: serde_json::Value = serde_json::from_slice(&answer.body).map_err(|error| unreadable(&error))?;
        Ok(ContainerId::new(made["Id"].as_str().unwrap_or_default()))
    }

    async fn complete(
        &self,
        id: &ContainerId,
        connect: Vec<(String, bollard::models::EndpointSettings)>,
        files: &[InjectedFile],
    ) -> Result<()> {
        for (network, endpoint) in connect {
            let request = NetworkConnectRequest { container: id.to_string(), endpoint_config: Some(endpoint) };
            self.api.connect_network(&network, request).await.map_err(|error| self.error(error))?;
        }
        if !files.is_empty() {
            self.upload(id, "/", archive(files)?).await?;
        }
        Ok(())
    }

    pub(super) async fn start(&self, id: &ContainerId) -> Result<()> {
        let answer = self.api.start_container(id.as_str(), None::<StartContainerOptions>).await;
        answer.map_err(|error| self.error(error))
    }

    pub(super) async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        let options = StopContainerOptions { signal: None, t: grace.map(whole_seconds) };
        let noted = self.requests.note(Request::Stop { container: id.to_string(), grace: grace.map(seconds) });
        noted.ends(self.unless_gone(self.api.stop_container(id.as_str(), Some(options)).await))
    }

    pub(super) async fn kill(&self, id: &ContainerId, signal: &str) -> Result<()> {
        let options = KillContainerOptions { signal: signal.to_owned() };
        match self.api.kill_container(id.as_str(), Some(options)).await {
            // 409: "Container 0f… is not running" (20.10 and 28.5).
            Err(BollardError::DockerResponseServerError { status_code: 409, message })
                if message.contains("is not running") =>
            {
                Ok(())
            }
            answer => self.unless_gone(answer),
        }
    }

    pub(super) async fn pause(&self, id: &ContainerId) -> Result<()> {
        self.api.pause_container(id.as_str()).await.map_err(|error| self.error(error))
    }

    pub(super) async fn unpause(&self, id: &ContainerId) -> Result<()> {
        self.api.unpause_container(id.as_str()).await.map_err(|error| self.error(error))
    }

    pub(super) async fn restart(&self, id: &ContainerId, grace: Option<Duration>) -> Result<()> {
        let options = RestartContainerOptions { signal: None, t: grace.map(whole_seconds) };
        let noted = self.requests.note(Request::Restart { container: id.to_string(), grace: grace.map(seconds) });
        let answer = self.api.restart_container(id.as_str(), Some(options)).await;
        noted.ends(answer.map_err(|error| self.error(error)))
    }

    pub(super) async fn remove_container(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        // By its id: when the note is read another container may have the name.
        let Some(found) = self.inspect(id).await? else { return Ok(()) };
        let id = &found.id;
        let names = found.labels.get(INHERITED).filter(|_| volumes).map(String::as_str).unwrap_or_default();
        let inherited: Vec<String> = names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let request = Request::Remove { container: id.to_string(), volumes, inherited: inherited.clone() };
        let noted = self.requests.note(request);
        noted.ends(self.removal(id, volumes, &inherited).await)
    }

    /// Removes a container, and then volumes that it took over from others.
    pub(super) async fn removal(&self, id: &ContainerId, volumes: bool, inherited: &[String]) -> Result<()> {
        self.remove_it(id, volumes).await?;
        for name in inherited {
            match self.remove_volume(name).await {
                // Another container has it too: it goes with that one, as the engine does it with its own.
                Err(error) if error.kind == ErrorKind::Conflict => {}
                answer => answer?,
            }
        }
        Ok(())
    }

    async fn remove_it(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        let options = RemoveContainerOptions { v: volumes, force: true, link: false };
        match self.api.remove_container(id.as_str(), Some(options)).await {
            // Somebody else is removing it: wait until it is gone, or what comes next finds its name taken.
            Err(BollardError::DockerResponseServerError { status_code: 409, message })
                if message.contains("already in progress") =>
            {
                self.removed(id).await
            }
            answer => self.unless_gone(answer),
        }
    }

    async fn removed(&self, id: &ContainerId) -> Result<()> {
        use futures_util::StreamExt as _;
        let options = bollard::query_parameters::WaitContainerOptions { condition: "removed".to_owned() };
        match Box::pin(self.api.wait_container(id.as_str(), Some(options))).next().await {
            Some(Err(error @ BollardError::DockerResponseServerError { .. })) => self.unless_gone(Err(error)),
            _ => Ok(()),
        }
    }

    pub(super) async fn rename(&self, id: &ContainerId, name: &str) -> Result<()> {
        let options = RenameContainerOptions { name: name.to_owned() };
        self.api.rename_container(id.as_str(), options).await.map_err(|error| self.error(error))
    }
}

/// A tar of files with absolute paths. The time of each is fixed: a container made again is made the same.
fn archive(files: &[InjectedFile]) -> Result<Bytes> {
    let failed = |file: &InjectedFile, why: &dyn std::fmt::Display| {
        EngineError::new(ErrorKind::Refused, format!("{} cannot be put into the container: {why}", file.path))
    };
    let mut tar = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(file.mode);
        header.set_uid(file.uid);
        header.set_gid(file.gid);
        header.set_mtime(0);
        tar.append_data(&mut header, file.path.trim_start_matches('/'), file.content.as_slice())
            .map_err(|error| failed(file, &error))?;
    }
    tar.into_inner().map(Bytes::from).map_err(|error| failed(&files[0], &error))
}

/// Adds variables that are not set.
fn add_missing(env: &mut Vec<String>, variables: Vec<(String, String)>) {
    for (name, value) in variables {
        if !env.iter().any(|entry| entry.split('=').next() == Some(name.as_str())) {
            env.push(format!("{name}={value}"));
        }
    }
}

/// The API takes a seccomp profile's text, the manifest names its file.
async fn inline_seccomp_profiles(body: &mut bollard::models::ContainerCreateBody) -> Result<()> {
    let options = body.host_config.as_mut().and_then(|host| host.security_opt.as_mut());
    for option in options.into_iter().flatten() {
        let Some(path) = option.strip_prefix("seccomp=").or_else(|| option.strip_prefix("seccomp:")) else { continue };
        if matches!(path, "unconfined" | "builtin") || path.starts_with('{') {
            continue;
        }
        let text = tokio::fs::read_to_string(path).await.map_err(|error| {
            EngineError::new(
                ErrorKind::Refused,
                format!("the seccomp profile {path} of security_opt cannot be read: {error}"),
            )
        })?;
        *option = format!("seccomp={text}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grace_is_rounded_up() {
        for (millis, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1500, 2), (10_000, 10)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }

    #[test]
    fn files_become_an_archive() {
        let file = InjectedFile { path: "/run/secrets/a".into(), content: b"x".to_vec(), mode: 0o440, uid: 1, gid: 2 };
        let tar = archive(&[file]).unwrap();
        let mut read = tar::Archive::new(tar.as_ref());
        let entry = read.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("run/secrets/a"));
        let header = entry.header();
        assert_eq!((header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0o440, 1, 2));
    }

    #[tokio::test]
    async fn seccomp_profiles_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.json");
        std::fs::write(&file, "{}").unwrap();
        let options = vec![format!("seccomp={}", file.display()), "seccomp=unconfined".into(), "label=disable".into()];
        let host = bollard::models::HostConfig { security_opt: Some(options), ..Default::default() };
        let mut body = bollard::models::ContainerCreateBody { host_config: Some(host), ..Default::default() };
        inline_seccomp_profiles(&mut body).await.unwrap();
        let options = body.host_config.as_ref().unwrap().security_opt.clone().unwrap();
        assert_eq!(options, ["seccomp={}", "seccomp=unconfined", "label=disable"]);
        body.host_config.as_mut().unwrap().security_opt = Some(vec!["seccomp=/nowhere/at/all".into()]);
        assert!(inline_seccomp_profiles(&mut body).await.unwrap_err().message.contains("/nowhere/at/all"));
    }
}
