//! What of a project is left where only some of its services are looked at.

use std::collections::HashSet;

use super::{Project, ServiceName};

impl Project {
    /// Leaves these services, and the networks, volumes and the like that they use, as Compose does where services are
    /// named. With `all_resources` those stay that nothing uses.
    pub fn keep(&mut self, services: &[ServiceName]) {
        self.services.retain(|name, _| services.contains(name));
        if self.all_resources {
            return;
        }
        let of_services = || self.services.values();
        let networks: HashSet<String> = of_services().flat_map(|service| service.networks.keys().cloned()).collect();
        let mounts = of_services().flat_map(|service| &service.volumes);
        let volumes: HashSet<String> = mounts.filter_map(|mount| mount.source.clone()).collect();
        let configs: HashSet<String> =
            of_services().flat_map(|service| &service.configs).filter_map(|file| file.source.clone()).collect();
        let of_builds = of_services().flat_map(|service| service.build.iter().flat_map(|build| &build.secrets));
        let secrets = of_services().flat_map(|service| &service.secrets).chain(of_builds);
        let secrets: HashSet<String> = secrets.filter_map(|file| file.source.clone()).collect();
        let models: HashSet<String> = of_services().flat_map(|service| service.models.keys().cloned()).collect();
        self.networks.retain(|name, _| networks.contains(name));
        self.volumes.retain(|name, _| volumes.contains(name));
        self.configs.retain(|name, _| configs.contains(name));
        self.secrets.retain(|name, _| secrets.contains(name));
        self.models.retain(|name, _| models.contains(name));
    }
}
