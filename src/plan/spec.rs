//! From a service in canonical form to a container that an engine can make.

use indexmap::IndexMap;

use super::labels::{AGENT, CONFIG, CONFIG_HASH, ONEOFF, container_labels};
use super::{Labels, Wanted, variables};
use crate::model::labels::INHERITED;
use crate::model::{Attachment, ContainerSpec, Hook, Mount, MountType, Project, Service};

/// The container of a service. `inherited` are anonymous volumes of the container that it replaces, by path.
pub fn container_spec(
    project: &Project,
    service: &Service,
    number: u32,
    wanted: &Wanted,
    inherited: &IndexMap<String, String>,
) -> ContainerSpec {
    let mut spec = ContainerSpec {
        name: service.container_name(&project.name, number),
        image: project.image_name(service),
        service: service.clone(),
        mounts: mounts(project, service),
        networks: networks(project, service),
        files: wanted.files.get(&service.name).cloned().unwrap_or_default(),
        publish: true,
        ..ContainerSpec::default()
    };
    spec.labels = container_labels(project, service, number, false, wanted);
    let config = Labels::of(service, &spec, &spec.files, &wanted.salt);
    spec.labels.insert(CONFIG_HASH.to_owned(), config.hash());
    spec.labels.insert(CONFIG.to_owned(), config.to_label());
    spec.labels.extend(variables::label(service, &wanted.salt));
    // Of the place in the network, and no part of the configuration.
    for attachment in spec.networks.values_mut() {
        attachment.aliases.insert(0, spec.name.clone());
    }
    let taken = inherit(&mut spec.mounts, inherited);
    if !taken.is_empty() {
        spec.labels.insert(INHERITED.to_owned(), taken.join(","));
    }
    resolve(project, &mut spec.service);
    spec
}

/// The containers that run `pre_start` of a service. They have its volumes, those of the container that is about to
/// start among them, and its networks; they publish nothing and nobody finds them by its name.
pub fn before_start_specs(
    project: &Project,
    service: &Service,
    container: &str,
    wanted: &Wanted,
) -> Vec<ContainerSpec> {
    let spec = |(at, hook): (usize, &Hook)| {
        let mut own = service.clone();
        own.command.clone_from(&hook.command);
        own.user = hook.user.clone().or(own.user);
        own.working_dir = hook.working_dir.clone().or(own.working_dir);
        own.environment.extend(hook.environment.clone());
        own.privileged |= hook.privileged;
        own.ports.clear();
        (own.healthcheck, own.restart, own.container_name, own.scale) = (None, None, None, None);
        if let Some(deploy) = &mut own.deploy {
            deploy.restart_policy = None;
        }
        let mut spec = container_spec(project, &own, 1, wanted, &IndexMap::new());
        spec.name = format!("{}-{}-pre_start-{at}", project.name, service.name);
        spec.image = hook.image.clone().unwrap_or(spec.image);
        spec.publish = false;
        spec.labels.insert(ONEOFF.to_owned(), "True".to_owned());
        spec.labels.shift_remove(AGENT);
        spec.service.volumes_from.push(container.to_owned());
        for attachment in spec.networks.values_mut() {
            attachment.aliases.clear();
            (attachment.ipv4_address, attachment.ipv6_address, attachment.mac_address) = (None, None, None);
        }
        spec
    };
    service.pre_start.iter().enumerate().map(spec).collect()
}

/// Other services by the names of their containers: namespaces, mounts and links.
fn resolve(project: &Project, service: &mut Service) {
    let container = |name: &str| project.services.get(name).map(|other| other.container_name(&project.name, 1));
    for mode in [&mut service.network_mode, &mut service.ipc, &mut service.pid].into_iter().flatten() {
        if let Some(name) = mode.strip_prefix("service:").and_then(container) {
            *mode = format!("container:{name}");
        }
    }
    for from in &mut service.volumes_from {
        let (name, mode) = from.split_once(':').unwrap_or((from, ""));
        if name == "container" {
            *from = mode.to_owned();
        } else if let Some(name) = container(name) {
            *from = if mode.is_empty() { name } else { format!("{name}:{mode}") };
        }
    }
    let mut links = Vec::new();
    for link in &service.links {
        let (name, alias) = link.split_once(':').unwrap_or((link, link));
        match container(name) {
            Some(target) => {
                links.push(format!("{target}:{alias}"));
                links.push(format!("{target}:{name}"));
                links.push(format!("{target}:{target}"));
            }
            None => links.push(link.clone()),
        }
    }
    links.dedup();
    service.links = links;
}

/// Mounts with the engine's names of volumes; secrets and configs from files of the host become read-only binds.
fn mounts(project: &Project, service: &Service) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = service
        .volumes
        .iter()
        .cloned()
        .map(|mut mount| {
            if let (MountType::Volume, Some(source)) = (mount.r#type, &mount.source) {
                mount.source = Some(project.volume_name(source));
            }
            mount
        })
        .collect();
    let secrets = service.secrets.iter().map(|used| (used, &project.secrets, "/run/secrets/"));
    let configs = service.configs.iter().map(|used| (used, &project.configs, "/"));
    for (used, sources, folder) in secrets.chain(configs) {
        let Some(key) = &used.source else { continue };
        let Some(file) = sources.get(key).and_then(|source| source.file.clone()) else { continue };
        let target = used.target.clone().unwrap_or_else(|| key.clone());
        let target = if target.starts_with('/') { target } else { format!("{folder}{target}") };
        mounts.push(Mount { r#type: MountType::Bind, source: Some(file), target, read_only: true, ..Mount::default() });
    }
    mounts
}

/// Networks by the engine's name, the one of the highest priority first; the service's own name and its aliases
/// resolve in each.
fn networks(project: &Project, service: &Service) -> IndexMap<String, Attachment> {
    if service.network_mode.is_some() {
        return IndexMap::new();
    }
    let mut networks: Vec<(String, Attachment)> = service
        .networks
        .iter()
        .map(|(key, attachment)| {
            let mut attachment = attachment.clone().unwrap_or_default();
            if !attachment.aliases.iter().any(|alias| alias == service.name.as_str()) {
                attachment.aliases.push(service.name.to_string());
            }
            (project.network_name(key), attachment)
        })
        .collect();
    networks.sort_by_key(|(_, attachment)| std::cmp::Reverse(attachment.priority.unwrap_or(0)));
    networks.into_iter().collect()
}

/// A recreated container keeps the anonymous volumes of the old one, as Compose does.
/// Gives those that it keeps.
fn inherit(mounts: &mut Vec<Mount>, inherited: &IndexMap<String, String>) -> Vec<String> {
    let mut taken = Vec::new();
    for (target, volume) in inherited.iter().filter(|(_, volume)| is_anonymous(volume)) {
        match mounts.iter_mut().find(|mount| mount.target == *target) {
            Some(mount) if mount.r#type == MountType::Volume && mount.source.is_none() => {
                mount.source = Some(volume.clone());
            }
            Some(_) => continue,
            None => mounts.push(Mount {
                r#type: MountType::Volume,
                source: Some(volume.clone()),
                target: target.clone(),
                ..Mount::default()
            }),
        }
        taken.push(volume.clone());
    }
    taken
}

/// Engines name an anonymous volume by 64 hexadecimal digits.
pub(super) fn is_anonymous(volume: &str) -> bool {
    volume.len() == 64 && volume.bytes().all(|byte| byte.is_ascii_hexdigit())
}
