//! Networks and volumes.

use std::collections::HashMap;

use bollard::errors::Error as BollardError;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{ListNetworksOptions, RemoveVolumeOptions};

use super::requests::Request;
use super::{Docker, errors};
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::{NetworkId, NetworkSpec, VolumeSpec};

/// The engine refuses a second network of the same name by itself from this API on.
const UNIQUE_NAMES: (u32, u32) = (1, 44);

impl Docker {
    /// One that is there already and is as it should be was asked for by a hob that was killed, and is taken.
    pub(super) async fn create_network(&self, spec: &NetworkSpec) -> Result<NetworkId> {
        let request = network_request(spec, self.info.api)?;
        let before_unique = self.info.api < UNIQUE_NAMES;
        if before_unique && let Some(there) = self.networks_called(&spec.name).await?.first() {
            return taken(spec, there);
        }
        let noted = self.requests.note(Request::Network { name: spec.name.clone() });
        let made = self.api.create_network(request).await.map_err(|error| self.error(error));
        let id = match noted.ends(made) {
            Ok(made) => made.id,
            Err(error) if error.kind == ErrorKind::Conflict => {
                let there = self.networks_called(&spec.name).await?;
                return there.first().map_or(Err(error), |there| taken(spec, there));
            }
            Err(error) => return Err(error),
        };
        // Two that were made at the same time both exist on an older engine: the one with the lower id stays.
        if before_unique {
            let all = self.networks_called(&spec.name).await?;
            if let Some(first) = all.iter().filter(|other| other.id.as_ref() < Some(&id)).min_by_key(|one| &one.id) {
                self.remove_network(&id).await?;
                return taken(spec, first);
            }
        }
        Ok(NetworkId::new(id))
    }

    pub(super) async fn networks_called(&self, name: &str) -> Result<Vec<bollard::models::Network>> {
        let filters = Some(HashMap::from([("name".to_owned(), vec![name.to_owned()])]));
        let options = ListNetworksOptions { filters };
        let networks = self.api.list_networks(Some(options)).await.map_err(|error| self.error(error))?;
        // The filter also matches parts of names.
        Ok(networks.into_iter().filter(|network| network.name.as_deref() == Some(name)).collect())
    }

    pub(super) async fn remove_network(&self, name: &str) -> Result<()> {
        self.unless_gone(self.api.remove_network(name).await)
    }

    pub(super) async fn create_volume(&self, spec: &VolumeSpec) -> Result<()> {
        let request = VolumeCreateRequest {
            name: Some(spec.name.clone()),
            driver: spec.driver.clone(),
            driver_opts: Some(spec.driver_opts.clone().into_iter().collect()),
            labels: Some(spec.labels.clone().into_iter().collect()),
            ..Default::default()
        };
        self.api.create_volume(request).await.map(drop).map_err(|error| self.error(error))
    }

    pub(super) async fn remove_volume(&self, name: &str) -> Result<()> {
        self.unless_gone(self.api.remove_volume(name, None::<RemoveVolumeOptions>).await)
    }

    /// What removes a thing has done its work where the thing is not there.
    pub(super) fn unless_gone(&self, answer: std::result::Result<(), BollardError>) -> Result<()> {
        match answer {
            Ok(()) | Err(BollardError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
            Err(error) => Err(self.error(error)),
        }
    }
}

/// The network that has the name, if it is what was asked for: the labels say of which settings it was made.
fn taken(spec: &NetworkSpec, there: &bollard::models::Network) -> Result<NetworkId> {
    let labels = there.labels.clone().unwrap_or_default();
    let same = !spec.labels.is_empty() && spec.labels.iter().all(|(key, value)| labels.get(key) == Some(value));
    match &there.id {
        Some(id) if same => Ok(NetworkId::new(id)),
        _ => {
            let text = format!("network with name {} already exists", spec.name);
            Err(EngineError::new(ErrorKind::Conflict, text))
        }
    }
}

fn network_request(spec: &NetworkSpec, api: (u32, u32)) -> Result<NetworkCreateRequest> {
    if spec.enable_ipv4.is_some() && api < (1, 48) {
        return Err(errors::unsupported(&format!("enable_ipv4 of network {}", spec.name), (1, 48), api));
    }
    let pools: Vec<IpamConfig> = spec
        .ipam
        .config
        .iter()
        .map(|pool| IpamConfig {
            subnet: pool.subnet.clone(),
            ip_range: pool.ip_range.clone(),
            gateway: pool.gateway.clone(),
            auxiliary_addresses: (!pool.aux_addresses.is_empty())
                .then(|| pool.aux_addresses.clone().into_iter().collect()),
        })
        .collect();
    let plain = pools.is_empty() && spec.ipam.driver.is_none() && spec.ipam.options.is_empty();
    Ok(NetworkCreateRequest {
        name: spec.name.clone(),
        driver: spec.driver.clone(),
        internal: Some(spec.internal),
        attachable: Some(spec.attachable),
        ipam: (!plain).then(|| Ipam {
            driver: spec.ipam.driver.clone(),
            config: Some(pools),
            options: Some(spec.ipam.options.clone().into_iter().collect()),
        }),
        enable_ipv4: spec.enable_ipv4,
        enable_ipv6: spec.enable_ipv6,
        options: Some(spec.driver_opts.clone().into_iter().collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::IpamPool;

    #[test]
    fn a_network_is_mapped() {
        let mut spec = NetworkSpec { name: "a".into(), internal: true, ..Default::default() };
        assert_eq!(network_request(&spec, (1, 41)).unwrap().ipam, None);
        spec.ipam.config.push(IpamPool { subnet: Some("10.9.0.0/24".into()), ..Default::default() });
        let request = network_request(&spec, (1, 41)).unwrap();
        assert_eq!(request.internal, Some(true));
        assert_eq!(request.ipam.unwrap().config.unwrap()[0].subnet.as_deref(), Some("10.9.0.0/24"));
        spec.enable_ipv4 = Some(false);
        assert_eq!(network_request(&spec, (1, 41)).unwrap_err().kind, ErrorKind::Unsupported { needs: (1, 48) });
        assert_eq!(network_request(&spec, (1, 48)).unwrap().enable_ipv4, Some(false));
    }
}
