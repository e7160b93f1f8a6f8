//! A container's spec as the engine's API takes it. Pure: the API's version goes in, and what that version cannot do
//! is an error that names the one that can. Every key of the canonical service is either mapped here, or is not the
//! engine's business (`build`, `depends_on`, `profiles`, hob's own keys, …).

mod api;
mod capabilities;
mod endpoints;
mod host;
mod mounts;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, EndpointSettings, HealthConfig, NetworkingConfig};

use self::api::{Api, protocol, some_list, some_map};
use super::time::whole_seconds;
use crate::engine::Result;
use crate::model::{ContainerSpec, HealthCheck};

/// What to create.
#[derive(Debug)]
pub(super) struct CreateRequest {
    /// The body of the create request.
    pub(super) body: ContainerCreateBody,
    /// Networks to connect after it: an API before 1.44 takes only one.
    pub(super) connect: Vec<(String, EndpointSettings)>,
    /// What an API before 1.44 takes with the container; the body that bollard has does not know it.
    pub(super) mac_address: Option<String>,
}

/// Maps a whole spec.
pub(super) fn container_config(spec: &ContainerSpec, api: (u32, u32)) -> Result<CreateRequest> {
    let api = Api(api);
    // Every failure in here is about one service of the manifest.
    map(spec, api).map_err(|mut error| {
        error.message = format!("{}: {}", spec.service.name, error.message);
        error
    })
}

fn map(spec: &ContainerSpec, api: Api) -> Result<CreateRequest> {
    let service = &spec.service;
    let mut host = host::host_config(spec, api)?;
    let (first, others) = endpoints::endpoints(spec, api)?;
    if let Some((name, _)) = &first {
        host.network_mode = Some(name.clone());
    }
    let mut connect = others;
    let mut at_create: HashMap<_, _> = first.into_iter().collect();
    if api.0 >= (1, 44) {
        at_create.extend(connect.drain(..));
    }
    let body = ContainerCreateBody {
        hostname: service.hostname.clone(),
        domainname: service.domainname.clone(),
        user: service.user.clone(),
        attach_stdin: Some(spec.interactive),
        attach_stdout: Some(spec.interactive),
        attach_stderr: Some(spec.interactive),
        tty: Some(service.tty),
        open_stdin: Some(service.stdin_open || spec.interactive),
        stdin_once: Some(spec.interactive),
        exposed_ports: some_list(exposed_ports(spec)),
        env: some_list(environment(spec)),
        entrypoint: spec.entrypoint.clone().or_else(|| service.entrypoint.clone()),
        cmd: match &spec.entrypoint {
            Some(_) => spec.command.clone().or_else(|| service.command.clone()),
            None => service.command.clone(),
        },
        healthcheck: service.healthcheck.as_ref().map(|check| health(check, api)).transpose()?,
        image: Some(spec.image.clone()),
        working_dir: service.working_dir.clone(),
        labels: some_map(&spec.labels),
        stop_signal: service.stop_signal.clone(),
        stop_timeout: service.stop_grace_period.map(|grace| whole_seconds(grace.0).into()),
        host_config: Some(host),
        networking_config: (!at_create.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(at_create) }),
        ..Default::default()
    };
    Ok(CreateRequest { body, connect, mac_address: endpoints::mac_address(spec, api) })
}

/// A name without `=` takes a variable of the image away.
fn environment(spec: &ContainerSpec) -> Vec<String> {
    let pair = |(name, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    spec.service.environment.iter().map(pair).collect()
}

fn exposed_ports(spec: &ContainerSpec) -> Vec<String> {
    let mut ports: BTreeSet<String> =
        spec.service.ports.iter().map(|port| format!("{}/{}", port.target, protocol(port))).collect();
    for exposed in &spec.service.expose {
        let (range, protocol) = exposed.split_once('/').unwrap_or((exposed, "tcp"));
        match range.split_once('-').map(|(from, to)| (from.parse::<u16>(), to.parse::<u16>())) {
            Some((Ok(from), Ok(to))) => ports.extend((from..=to).map(|port| format!("{port}/{protocol}"))),
            _ => drop(ports.insert(format!("{range}/{protocol}"))),
        }
    }
    ports.into_iter().collect()
}

fn health(check: &HealthCheck, api: Api) -> Result<HealthConfig> {
    if check.disable {
        return Ok(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() });
    }
    if check.start_interval.is_some() {
        api.needs("healthcheck.start_interval", (1, 44))?;
    }
    let nanos = |interval: Option<crate::model::Interval>| interval.map(|interval| nanoseconds(interval.0));
    Ok(HealthConfig {
        test: some_list(check.test.clone()),
        interval: nanos(check.interval),
        timeout: nanos(check.timeout),
        retries: check.retries.and_then(|retries| i64::try_from(retries).ok()),
        start_period: nanos(check.start_period),
        start_interval: nanos(check.start_interval),
    })
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
