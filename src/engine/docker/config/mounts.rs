//! Mounts. A bind whose folder may be made on the host is written in the old form (`source:target:options`), which is
//! the one that makes it on every engine and the only one with `SELinux` labels; all others are written in full.

use bollard::models::{
    Mount as ApiMount, MountBindOptions, MountImageOptions, MountTmpfsOptions, MountType as ApiType, MountVolumeOptions,
};

use super::api::{Api, refused, some_map, word};
use crate::engine::Result;
use crate::model::{BindOptions, ContainerSpec, Mount, MountType};

/// Binds in the old form, and mounts in full.
pub(super) fn mounts(spec: &ContainerSpec, api: Api) -> Result<(Vec<String>, Vec<ApiMount>)> {
    let mut binds = Vec::new();
    let mut full = Vec::new();
    for mount in &spec.mounts {
        let no_options = BindOptions::default();
        let options = mount.bind.as_ref().unwrap_or(&no_options);
        let old_form = mount.r#type == MountType::Bind
            && options.recursive.is_none()
            && (options.create_host_path.unwrap_or(true) || options.selinux.is_some());
        match (old_form, &mount.source) {
            (true, Some(source)) if !source.contains(':') && !mount.target.contains(':') => {
                binds.push(bind(mount, source, options));
            }
            _ => full.push(in_full(mount, api)?),
        }
    }
    if spec.service.use_api_socket {
        binds.push("/var/run/docker.sock:/var/run/docker.sock".to_owned());
    }
    Ok((binds, full))
}

fn bind(mount: &Mount, source: &str, options: &BindOptions) -> String {
    let mut words = vec![if mount.read_only { "ro" } else { "rw" }];
    words.extend(options.selinux.as_deref());
    words.extend(options.propagation.as_deref());
    format!("{source}:{}:{}", mount.target, words.join(","))
}

fn in_full(mount: &Mount, api: Api) -> Result<ApiMount> {
    let at = |key: &str| format!("{key} of the mount at {}", mount.target);
    let typ = match mount.r#type {
        MountType::Bind => ApiType::BIND,
        MountType::Volume => ApiType::VOLUME,
        MountType::Tmpfs => ApiType::TMPFS,
        MountType::Npipe => ApiType::NPIPE,
        MountType::Cluster => ApiType::CLUSTER,
        MountType::Image => {
            api.needs(&at("type: image"), (1, 48))?;
            ApiType::IMAGE
        }
    };
    if mount.volume.as_ref().is_some_and(|volume| volume.subpath.is_some()) {
        api.needs(&at("volume.subpath"), (1, 45))?;
    }
    Ok(ApiMount {
        target: Some(mount.target.clone()),
        source: mount.source.clone(),
        typ: Some(typ),
        read_only: Some(mount.read_only),
        consistency: mount.consistency.clone(),
        bind_options: match (&mount.bind, mount.r#type) {
            (options, MountType::Bind) => bind_options(options.as_ref(), api, &at)?,
            _ => None,
        },
        volume_options: mount.volume.as_ref().map(|options| MountVolumeOptions {
            no_copy: Some(options.nocopy),
            labels: some_map(&options.labels),
            subpath: options.subpath.clone(),
            ..Default::default()
        }),
        image_options: mount.image.as_ref().map(|options| MountImageOptions { subpath: options.subpath.clone() }),
        tmpfs_options: mount.tmpfs.as_ref().map(|options| MountTmpfsOptions {
            size_bytes: options.size.map(|size| size.0),
            mode: options.mode,
            ..Default::default()
        }),
    })
}

fn bind_options(
    options: Option<&BindOptions>,
    api: Api,
    at: &dyn Fn(&str) -> String,
) -> Result<Option<MountBindOptions>> {
    let no_options = BindOptions::default();
    let options = options.unwrap_or(&no_options);
    let mut made = MountBindOptions {
        propagation: options
            .propagation
            .as_deref()
            .map(|text| word("bind.propagation", text, "private, rprivate, shared, rshared, slave or rslave"))
            .transpose()?,
        ..Default::default()
    };
    if options.create_host_path.unwrap_or(true) && api.0 >= (1, 42) {
        made.create_mountpoint = Some(true);
    }
    match options.recursive.as_deref() {
        None | Some("enabled") => {}
        Some("disabled") => made.non_recursive = Some(true),
        Some("writable") => {
            api.needs(&at("bind.recursive: writable"), (1, 44))?;
            made.read_only_non_recursive = Some(true);
        }
        Some("readonly") => {
            api.needs(&at("bind.recursive: readonly"), (1, 44))?;
            made.read_only_force_recursive = Some(true);
        }
        Some(other) => {
            return Err(refused(format!(
                "{} is \"{other}\"; expected enabled, disabled, writable or readonly",
                at("bind.recursive")
            )));
        }
    }
    Ok((made != MountBindOptions::default()).then_some(made))
}
