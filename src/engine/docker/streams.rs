//! Logs, attached streams and commands in containers.

use bollard::container::{LogOutput, PathStatResponse};
use bollard::errors::Error as BollardError;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::{
    AttachContainerOptions, ContainerArchiveInfoOptions, LogsOptions, ResizeContainerTTYOptions, ResizeExecOptions,
    UploadToContainerOptions,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

use super::Docker;
use crate::engine::{BoxStream, Channel, Chunk, EngineError, ErrorKind, ExecSpec, Exit, LogQuery, Result, Session};
use crate::model::ContainerId;

/// The bit of a mode, as Go counts them, that tells a symbolic link.
pub(super) const MODE_SYMLINK: u32 = 1 << 27;

impl Docker {
    pub(super) fn logs(&self, id: &ContainerId, query: &LogQuery) -> BoxStream<Result<Chunk>> {
        let seconds = |time: Option<i64>| i32::try_from(time.unwrap_or_default()).unwrap_or(i32::MAX);
        let options = LogsOptions {
            follow: query.follow,
            stdout: true,
            stderr: true,
            since: seconds(query.since),
            until: seconds(query.until),
            timestamps: query.timestamps,
            tail: query.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
        };
        self.chunks(self.api.logs(id.as_str(), Some(options)))
    }

    fn chunks(
        &self,
        output: impl Stream<Item = std::result::Result<LogOutput, BollardError>> + Send + 'static,
    ) -> BoxStream<Result<Chunk>> {
        let docker = self.clone();
        Box::pin(output.map(move |output| match output {
            Ok(LogOutput::StdErr { message }) => Ok(Chunk { channel: Channel::Err, bytes: message }),
            Ok(output) => Ok(Chunk { channel: Channel::Out, bytes: output.into_bytes() }),
            Err(error) => Err(docker.error(error)),
        }))
    }

    pub(super) async fn upload(&self, id: &ContainerId, folder: &str, tar: Bytes) -> Result<()> {
        let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
        self.api
            .upload_to_container(id.as_str(), Some(options), bollard::body_full(tar))
            .await
            .map_err(|error| self.error(error))
    }

    pub(super) async fn upload_parts(
        &self,
        id: &ContainerId,
        folder: &str,
        tar: BoxStream<std::io::Result<Bytes>>,
    ) -> Result<()> {
        let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
        let body = bollard::body_try_stream(tar);
        self.api.upload_to_container(id.as_str(), Some(options), body).await.map_err(|error| self.error(error))
    }

    pub(super) async fn file_size(&self, id: &ContainerId, path: &str) -> Result<Option<u64>> {
        Ok(self.path_stat(id, path).await?.and_then(|found| u64::try_from(found.size).ok()))
    }

    pub(super) async fn is_link(&self, id: &ContainerId, path: &str) -> Result<bool> {
        Ok(self.path_stat(id, path).await?.is_some_and(|found| found.file_mode & MODE_SYMLINK != 0))
    }

    /// What is at a path, which is not followed in its last part.
    pub(super) async fn path_stat(&self, id: &ContainerId, path: &str) -> Result<Option<PathStatResponse>> {
        let options = ContainerArchiveInfoOptions { path: path.to_owned() };
        match self.api.get_container_archive_info(id.as_str(), Some(options)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) => match self.error(error) {
                gone if gone.kind == ErrorKind::NotFound => Ok(None),
                other => Err(other),
            },
        }
    }

    pub(super) async fn attach(&self, id: &ContainerId, stdin: bool) -> Result<Session> {
        let options =
            AttachContainerOptions { stream: true, stdin, stdout: true, stderr: true, logs: false, detach_keys: None };
        let attached =
            self.api.attach_container(id.as_str(), Some(options)).await.map_err(|error| self.error(error))?;
        Ok(Session { id: id.to_string(), input: attached.input, output: self.chunks(attached.output) })
    }

    pub(super) async fn resize(&self, id: &ContainerId, columns: u16, rows: u16) -> Result<()> {
        let options = ResizeContainerTTYOptions { h: rows.into(), w: columns.into() };
        self.api.resize_container_tty(id.as_str(), options).await.map_err(|error| self.error(error))
    }

    pub(super) async fn exec(&self, id: &ContainerId, spec: &ExecSpec) -> Result<Session> {
        let attach = Some(!spec.detach);
        let config = ExecConfig {
            attach_stdin: Some(spec.stdin && !spec.detach),
            attach_stdout: attach,
            attach_stderr: attach,
            tty: Some(spec.tty),
            env: Some(spec.env.clone()),
            cmd: Some(spec.command.clone()),
            privileged: Some(spec.privileged),
            user: spec.user.clone(),
            working_dir: spec.working_dir.clone(),
            ..Default::default()
        };
        let made = self.api.create_exec(id.as_str(), config).await.map_err(|error| self.error(error))?;
        let options = StartExecOptions { detach: spec.detach, tty: spec.tty, output_capacity: None };
        let started = self.api.start_exec(&made.id, Some(options)).await.map_err(|error| self.error(error))?;
        Ok(match started {
            StartExecResults::Attached { output, input } => Session { id: made.id, input, output: self.chunks(output) },
            StartExecResults::Detached => {
                Session { id: made.id, input: Box::pin(tokio::io::sink()), output: Box::pin(stream::empty()) }
            }
        })
    }

    pub(super) async fn exec_exit_code(&self, exec: &str) -> Result<Option<i64>> {
        let answer = self.api.inspect_exec(exec).await.map_err(|error| self.error(error))?;
        if answer.running.unwrap_or_default() {
            return Ok(None);
        }
        Ok(answer.exit_code)
    }

    pub(super) async fn exec_resize(&self, exec: &str, columns: u16, rows: u16) -> Result<()> {
        let options = ResizeExecOptions { h: rows.into(), w: columns.into() };
        self.api.resize_exec(exec, options).await.map_err(|error| self.error(error))
    }

    /// See [`Engine::exit`](crate::engine::Engine::exit): the head of the answer comes when the engine has begun to wait.
    pub(super) async fn exit(&self, id: &ContainerId) -> Result<Exit> {
        use tokio::io::AsyncReadExt as _;
        let path = format!("{}/containers/{id}/wait?condition=next-exit", self.prefix());
        let endpoint = self.info.endpoint.clone();
        let broken = move |error: std::io::Error| super::errors::connection(&error, &endpoint);
        let (status, reader) = self.endpoint.post_early(&path).await.map_err(&broken)?;
        Ok(Box::pin(async move {
            let mut body = String::new();
            reader.take(64 * 1024).read_to_string(&mut body).await.map_err(&broken)?;
            let said: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            match said["StatusCode"].as_i64() {
                Some(code) if status == 200 => Ok(code),
                _ => {
                    let why = said["message"].as_str().or(said["Error"]["Message"].as_str()).unwrap_or_default();
                    Err(super::errors::answer(status, why))
                }
            }
        }))
    }

    pub(super) async fn wait(&self, id: &ContainerId) -> Result<i64> {
        let mut answers = Box::pin(self.api.wait_container(id.as_str(), None));
        match answers.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // bollard makes an error of every exit code that is not 0.
            Some(Err(BollardError::DockerContainerWaitError { error, code })) if error.is_empty() => Ok(code),
            Some(Err(error)) => Err(self.error(error)),
            None => Err(EngineError::new(
                ErrorKind::Lost,
                format!(
                    "lost the connection to the engine at {} while waiting for container {}",
                    self.info.endpoint,
                    id.short()
                ),
            )),
        }
    }
}
