//! What the builds of services read, measured with the images that they start from.

use std::sync::Arc;

use indexmap::IndexMap;

use super::observe::{blocking, images_of};
use super::{Failure, Sources};
use crate::engine::Engine;
use crate::model::{ObservedImage, Project, Service, ServiceName, without_latest};
use crate::plan::Wanted;

/// Measures services, and gives the engine's images that they were measured with: besides those that builds start from,
/// the images of these services.
pub(super) async fn measured(
    engine: &dyn Engine,
    sources: &Arc<dyn Sources>,
    project: &Arc<Project>,
    services: &[ServiceName],
    which: impl Fn(&Service) -> bool,
) -> Result<(Wanted, IndexMap<String, ObservedImage>), Vec<Failure>> {
    let (sources, project, services) = (Arc::clone(sources), Arc::clone(project), services.to_vec());
    let (bases_of, of, these) = (Arc::clone(&sources), Arc::clone(&project), services.clone());
    let mut images = blocking(move || bases(&*bases_of, &of, these)).await;
    let all = sources.takes_images() || starts_from_services(&project, &images);
    images.extend(names(&project, &services, |service| all || which(service)));
    let found = images_of(engine, images).await?;
    blocking(move || Ok((sources.measure(&project, &services, &found)?, found))).await
}

/// The names of the services' images.
pub(super) fn names(project: &Project, services: &[ServiceName], which: impl Fn(&Service) -> bool) -> Vec<String> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    services.filter(|service| which(service)).flat_map(|service| project.image_names(service)).collect()
}

/// The images that the builds of these services start from, and those that the builds of services start from whose
/// images are among them.
pub(super) fn bases(sources: &dyn Sources, project: &Project, mut services: Vec<ServiceName>) -> Vec<String> {
    let mut images = Vec::new();
    let mut from = 0;
    while let Some(these) = services.get(from..).filter(|these| !these.is_empty()) {
        let found = sources.base_images(project, these);
        let contexts = these.iter().filter_map(|name| project.services.get(name)?.build.as_ref());
        let contexts = contexts.flat_map(|build| build.additional_contexts.values());
        let named: Vec<&str> = contexts.filter_map(|context| context.strip_prefix("service:")).collect();
        let is_base = |service: &Service| {
            let name = project.image_name(service);
            let is_image = |image: &String| without_latest(image) == name;
            service.build.is_some() && (found.iter().any(is_image) || named.contains(&service.name.as_str()))
        };
        let more = project.services.values().filter(|service| is_base(service)).map(|service| &service.name);
        let more: Vec<ServiceName> = more.filter(|name| !services.contains(name)).cloned().collect();
        from = services.len();
        images.extend(more.iter().filter_map(|name| project.services.get(name)).map(|s| project.image_name(s)));
        images.extend(found);
        services.extend(more);
    }
    images
}

/// What a build measures depends on another service's image, which it starts from or has as a context.
fn starts_from_services(project: &Project, bases: &[String]) -> bool {
    let mut built = project.services.values().filter_map(|service| Some((service, service.build.as_ref()?)));
    built.any(|(service, build)| {
        let mut contexts = build.additional_contexts.values();
        let name = project.image_name(service);
        let mut bases = bases.iter().map(|base| without_latest(base));
        contexts.any(|context| context.starts_with("service:")) || bases.any(|base| base == name)
    })
}
