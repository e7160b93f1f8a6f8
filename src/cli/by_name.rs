//! A project by its name alone, as its containers' labels tell of it: for `-p NAME` where no manifest says more.

use indexmap::IndexMap;

use crate::model::{Dependency, Observed, ObservedContainer, Project, ProjectName, Service, ServiceName, Volume};
use crate::plan::labels;

/// What the labels say: services with what they depend on, and volumes.
pub fn project(name: &str, observed: &Observed) -> Project {
    let mut project = Project { name: ProjectName::new(name), ..Project::default() };
    for container in observed.containers.iter().filter(|container| !container.oneoff) {
        let label = |name: &str| container.labels.get(name).map(String::as_str).unwrap_or_default();
        project.working_dir = label(labels::WORKING_DIR).into();
        for file in label(labels::CONFIG_FILES).split(',').filter(|file| !file.is_empty()) {
            if !project.files.iter().any(|known| known.as_os_str() == file) {
                project.files.push(file.into());
            }
        }
        project.services.entry(container.service.clone()).or_insert_with(|| service(&project.name, container));
    }
    let names: Vec<ServiceName> = project.services.keys().cloned().collect();
    for service in project.services.values_mut() {
        // One that has no container is nothing to wait for.
        service.depends_on.retain(|name, _| names.contains(name));
    }
    for (name, volume) in &observed.volumes {
        if let Some(key) = volume.labels.get(labels::VOLUME) {
            let volume = Volume { name: Some(name.clone()), ..Volume::default() };
            project.volumes.insert(key.clone(), volume);
        }
    }
    project
}

fn service(project: &ProjectName, container: &ObservedContainer) -> Service {
    let mut service = Service {
        name: container.service.clone(),
        image: Some(container.image_name.clone()).filter(|name| !name.starts_with("sha256:")),
        depends_on: depends_on(container.labels.get(labels::DEPENDS_ON).map(String::as_str).unwrap_or_default()),
        ..Service::default()
    };
    if service.container_name(project, container.number) != container.name {
        service.container_name = Some(container.name.clone());
    }
    service
}

/// `db:service_healthy:false,cache:service_started:true`.
fn depends_on(label: &str) -> IndexMap<ServiceName, Dependency> {
    let one = |text: &str| {
        let mut parts = text.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?;
        let condition = serde_json::from_value(parts.next()?.into()).ok()?;
        let restart = parts.next() == Some("true");
        Some((ServiceName::new(name), Dependency { condition, restart, required: true, ..Dependency::default() }))
    };
    label.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Condition, ContainerId, ObservedVolume};

    fn container(service: &str, depends_on: &str) -> ObservedContainer {
        let labels = [
            (labels::WORKING_DIR, "/src/shop"),
            (labels::CONFIG_FILES, "/src/shop/compose.yaml,/src/shop/compose.override.yaml"),
            (labels::DEPENDS_ON, depends_on),
        ];
        ObservedContainer {
            id: ContainerId::new(service),
            name: format!("shop-{service}-1"),
            service: service.into(),
            number: 1,
            image_name: "busybox".into(),
            labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..ObservedContainer::default()
        }
    }

    #[test]
    fn labels_tell_of_a_project() {
        let named = ObservedContainer { name: "the-db".into(), ..container("db", "") };
        let of_run = ObservedContainer { oneoff: true, ..container("job", "") };
        let api = container("api", "db:service_healthy:true,gone:service_started:false,odd");
        let volume = ObservedVolume {
            labels: [(labels::VOLUME.to_owned(), "data".to_owned())].into(),
            ..ObservedVolume::default()
        };
        let observed = Observed {
            containers: vec![api, named, of_run],
            volumes: [("shop_data".to_owned(), volume)].into(),
            ..Observed::default()
        };
        let project = project("shop", &observed);
        assert_eq!(project.services.keys().map(ServiceName::as_str).collect::<Vec<_>>(), ["api", "db"]);
        let needs = &project.services["api"].depends_on;
        assert_eq!(needs.len(), 1, "{needs:?}");
        assert_eq!((needs["db"].condition, needs["db"].restart), (Condition::Healthy, true));
        assert_eq!(project.services["db"].container_name.as_deref(), Some("the-db"));
        assert_eq!(project.services["api"].container_name, None);
        assert_eq!((project.volume_name("data"), project.files.len()), ("shop_data".to_owned(), 2));
        assert_eq!(project.working_dir, std::path::Path::new("/src/shop"));
    }
}
