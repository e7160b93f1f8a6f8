//! The networks that a container joins.

use bollard::models::{EndpointIpamConfig, EndpointSettings};
use serde_json::Value;

use super::api::{Api, some_list};
use crate::engine::Result;
use crate::model::{Attachment, ContainerSpec};

type Named = (String, EndpointSettings);

/// The driver option that names the interface; the engine knows it from API 1.49 on.
const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";

/// The network that the container is made in, and the others, in order.
pub(super) fn endpoints(spec: &ContainerSpec, api: Api) -> Result<(Option<Named>, Vec<Named>)> {
    if spec.service.network_mode.is_some() {
        return Ok((None, Vec::new()));
    }
    let mut all = Vec::new();
    for (index, (name, attachment)) in spec.networks.iter().enumerate() {
        all.push((name.clone(), endpoint(spec, attachment, index == 0, api)?));
    }
    let mut all = all.into_iter();
    Ok((all.next(), all.collect()))
}

fn endpoint(spec: &ContainerSpec, attachment: &Attachment, first: bool, api: Api) -> Result<EndpointSettings> {
    let service = &spec.service;
    // `mac_address` of the service is the address in its first network.
    let mac_address = attachment.mac_address.clone().or_else(|| service.mac_address.clone().filter(|_| first));
    // Older engines have one address for the container, which is that in its first network.
    if mac_address.is_some() && !first {
        api.needs("networks.mac_address", (1, 44))?;
    }
    if attachment.gw_priority.is_some() {
        api.needs("networks.gw_priority", (1, 48))?;
    }
    let mut options: std::collections::HashMap<String, String> =
        attachment.driver_opts.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    if let Some(name) = &attachment.interface_name {
        api.needs("networks.interface_name", (1, 49))?;
        options.insert(INTERFACE_NAME.to_owned(), name.clone());
    }
    let ipam = EndpointIpamConfig {
        ipv4_address: attachment.ipv4_address.clone(),
        ipv6_address: attachment.ipv6_address.clone(),
        link_local_ips: some_list(attachment.link_local_ips.clone()),
    };
    Ok(EndpointSettings {
        ipam_config: (ipam != EndpointIpamConfig::default()).then_some(ipam),
        links: some_list(super::host::links(service)),
        aliases: some_list(attachment.aliases.clone()),
        mac_address,
        gw_priority: attachment.gw_priority,
        driver_opts: (!options.is_empty()).then_some(options),
        ..Default::default()
    })
}

/// The address of a container as engines below API 1.44 take it: with the container.
pub(super) fn mac_address(spec: &ContainerSpec, api: Api) -> Option<String> {
    if api.0 >= (1, 44) {
        return None;
    }
    let first = spec.networks.values().next().filter(|_| spec.service.network_mode.is_none());
    first.and_then(|attachment| attachment.mac_address.clone()).or_else(|| spec.service.mac_address.clone())
}

/// An option's value as the engine takes it: always text.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
