//! Archives of containers' files, both ways, and images made of containers.

use bollard::container::PathStatResponse;
use bollard::models::ContainerConfig;
use bollard::query_parameters::{CommitContainerOptions, DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::Docker;
use super::streams::MODE_SYMLINK;
use crate::engine::{BoxStream, CommitSpec, PathStat, Result};
use crate::model::{ContainerId, ImageId, split_reference};

/// The bits of a mode, as Go counts them, that tell a folder and a device.
const MODE_FOLDER: u32 = 1 << 31;
const MODE_DEVICE: u32 = 1 << 26;

impl Docker {
    pub(super) async fn stat(&self, id: &ContainerId, path: &str) -> Result<Option<PathStat>> {
        Ok(self.path_stat(id, path).await?.map(stat_of))
    }

    pub(super) fn download(&self, id: &ContainerId, path: &str) -> BoxStream<Result<Bytes>> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let docker = self.clone();
        let archive = self.api.download_from_container(id.as_str(), Some(options));
        Box::pin(archive.map(move |bytes| bytes.map_err(|error| docker.error(error))))
    }

    pub(super) async fn extract(
        &self,
        id: &ContainerId,
        folder: &str,
        tar: BoxStream<std::io::Result<Bytes>>,
        copy_owner: bool,
    ) -> Result<()> {
        let options = UploadToContainerOptions {
            path: folder.to_owned(),
            no_overwrite_dir_non_dir: Some("true".to_owned()),
            copy_uidgid: copy_owner.then(|| "true".to_owned()),
        };
        let body = bollard::body_try_stream(tar);
        self.api.upload_to_container(id.as_str(), Some(options), body).await.map_err(|error| self.error(error))
    }

    pub(super) fn export(&self, id: &ContainerId) -> BoxStream<Result<Bytes>> {
        let docker = self.clone();
        let archive = self.api.export_container(id.as_str());
        Box::pin(archive.map(move |bytes| bytes.map_err(|error| docker.error(error))))
    }

    pub(super) async fn commit(&self, id: &ContainerId, spec: &CommitSpec) -> Result<ImageId> {
        let (repo, tag) = spec.name.as_deref().map(split_reference).unwrap_or_default();
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let options = CommitContainerOptions {
            container: Some(id.to_string()),
            repo: some(repo),
            tag: tag.map(str::to_owned),
            comment: some(&spec.message),
            author: some(&spec.author),
            pause: spec.pause,
            // The engine reads them as lines of one text.
            changes: some(&spec.changes.join("\n")),
        };
        let made = self.api.commit_container(options, ContainerConfig::default()).await;
        Ok(ImageId::new(made.map_err(|error| self.error(error))?.id))
    }
}

fn stat_of(found: PathStatResponse) -> PathStat {
    let has = |bit: u32| found.file_mode & bit != 0;
    PathStat {
        is_folder: has(MODE_FOLDER),
        is_device: has(MODE_DEVICE),
        link: has(MODE_SYMLINK).then_some(found.link_target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_gos() {
        let stat = |file_mode| {
            let (name, link_target) = (String::new(), "to".to_owned());
            stat_of(PathStatResponse { name, size: 0, file_mode, modification_time: None, link_target })
        };
        let plain = PathStat::default();
        assert_eq!(stat(0o644), plain);
        assert_eq!(stat(0x8000_01ed), PathStat { is_folder: true, ..plain.clone() });
        assert_eq!(stat(0x0800_01ff), PathStat { link: Some("to".to_owned()), ..plain.clone() });
        assert_eq!(stat(0x0420_01b6), PathStat { is_device: true, ..plain });
    }
}
