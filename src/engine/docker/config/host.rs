//! The part of the request that the API calls the host configuration: resources, namespaces, ports, mounts.

use bollard::models::{
    DeviceMapping, DeviceRequest as ApiDeviceRequest, HostConfig, HostConfigLogConfig, PortBinding, PortMap,
    ResourcesBlkioWeightDevice, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum, ThrottleDevice,
};
use serde_json::Value;

use super::api::{Api, protocol, refused, some_list, some_map, word};
use super::capabilities::capabilities;
use super::mounts;
use crate::engine::Result;
use crate::model::{ByteSize, ContainerSpec, DeviceRequest, Resource, Service};

/// Links to containers of the project and to others.
pub(super) fn links(service: &Service) -> Vec<String> {
    service.links.iter().chain(&service.external_links).cloned().collect()
}

/// The host configuration.
pub(super) fn host_config(spec: &ContainerSpec, api: Api) -> Result<HostConfig> {
    let service = &spec.service;
    let (binds, mounts) = mounts::mounts(spec, api)?;
    let (cap_add, cap_drop) = capabilities(&service.cap_add, &service.cap_drop);
    let mut host = HostConfig {
        auto_remove: spec.auto_remove.then_some(true),
        binds: some_list(binds),
        mounts: some_list(mounts),
        tmpfs: some_list(service.tmpfs.clone()).map(|list| list.iter().map(|entry| path_and_options(entry)).collect()),
        volumes_from: some_list(service.volumes_from.clone()),
        // In the engine's own bridge a link belongs to the container, elsewhere to its place in the network.
        links: some_list(links(service)).filter(|_| service.network_mode.as_deref() == Some("bridge")),
        // Without a network the engine would put the container into its default bridge.
        network_mode: Some(service.network_mode.clone().unwrap_or_else(|| "none".to_owned())),
        port_bindings: spec.publish.then(|| port_bindings(service)).filter(|ports| !ports.is_empty()),
        restart_policy: restart_policy(service)?,
        log_config: service
            .logging
            .as_ref()
            .map(|logging| HostConfigLogConfig { typ: logging.driver.clone(), config: some_map(&logging.options) }),
        cap_add: some_list(cap_add),
        cap_drop: some_list(cap_drop),
        cgroup_parent: service.cgroup_parent.clone(),
        cgroupns_mode: (service.cgroup.as_deref()).map(|text| word("cgroup", text, "host or private")).transpose()?,
        dns: some_list(service.dns.clone()),
        dns_options: some_list(service.dns_opt.clone()),
        dns_search: some_list(service.dns_search.clone()),
        extra_hosts: some_list(service.extra_hosts.iter().map(|entry| entry.replacen('=', ":", 1)).collect()),
        group_add: some_list(service.group_add.clone()),
        init: service.init,
        ipc_mode: service.ipc.clone(),
        isolation: (service.isolation.as_deref())
            .map(|text| word("isolation", text, "default, process or hyperv"))
            .transpose()?,
        pid_mode: service.pid.clone(),
        privileged: Some(service.privileged),
        readonly_rootfs: Some(service.read_only),
        runtime: service.runtime.clone(),
        security_opt: some_list(security_options(service)),
        shm_size: service.shm_size.map(|size| size.0),
        storage_opt: some_map(&service.storage_opt),
        sysctls: some_map(&service.sysctls),
        userns_mode: service.userns_mode.clone(),
        uts_mode: service.uts.clone(),
        oom_kill_disable: service.oom_kill_disable,
        oom_score_adj: service.oom_score_adj,
        ..Default::default()
    };
    if !service.annotations.is_empty() {
        api.needs("annotations", (1, 43))?;
        host.annotations = some_map(&service.annotations);
    }
    resources(&mut host, service);
    devices(&mut host, service);
    if let Some(blkio) = &service.blkio_config {
        block_io(&mut host, blkio)?;
    }
    Ok(host)
}

fn path_and_options(entry: &str) -> (String, String) {
    let (path, options) = entry.split_once(':').unwrap_or((entry, ""));
    (path.to_owned(), options.to_owned())
}

fn port_bindings(service: &Service) -> PortMap {
    let mut ports = PortMap::new();
    for port in &service.ports {
        let binding =
            PortBinding { host_ip: port.host_ip.clone(), host_port: Some(port.published.clone().unwrap_or_default()) };
        let key = format!("{}/{}", port.target, protocol(port));
        ports.entry(key).or_default().get_or_insert_default().push(binding);
    }
    ports
}

/// `restart`, else what `deploy.restart_policy` says.
fn restart_policy(service: &Service) -> Result<Option<RestartPolicy>> {
    if let Some(text) = &service.restart {
        let (name, count) = text.split_once(':').unwrap_or((text, ""));
        let maximum_retry_count = if count.is_empty() {
            None
        } else {
            Some(word("the number in restart", count, "a whole number, as in on-failure:3")?)
        };
        let name = word("restart", name, "no, always, on-failure, on-failure:NUMBER or unless-stopped")?;
        return Ok(Some(RestartPolicy { name: Some(name), maximum_retry_count }));
    }
    let Some(policy) = service.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref()) else {
        return Ok(None);
    };
    let name = match policy.get("condition").and_then(Value::as_str).unwrap_or("any") {
        "none" => RestartPolicyNameEnum::NO,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => RestartPolicyNameEnum::ALWAYS,
    };
    let attempts = policy.get("max_attempts").and_then(Value::as_i64);
    let maximum_retry_count = attempts.filter(|_| name == RestartPolicyNameEnum::ON_FAILURE);
    Ok(Some(RestartPolicy { name: Some(name), maximum_retry_count }))
}

fn security_options(service: &Service) -> Vec<String> {
    let mut options = service.security_opt.clone();
    if let Some(spec) = &service.credential_spec {
        for (key, prefix) in [("file", "file://"), ("registry", "registry://"), ("config", "config://")] {
            if let Some(value) = spec.get(key).and_then(Value::as_str) {
                options.push(format!("credentialspec={prefix}{value}"));
            }
        }
    }
    options
}

fn nano_cpus(cpus: f64) -> i64 {
    #[allow(clippy::cast_possible_truncation, reason = "a number of CPUs times 10^9 is far below 2^53")]
    let nanos = (cpus * 1e9).round() as i64;
    nanos
}

/// The service's own limits, and `deploy.resources` over them.
fn resources(host: &mut HostConfig, service: &Service) {
    let bytes = |size: Option<ByteSize>| size.map(|size| size.0);
    host.cpu_count = service.cpu_count;
    #[allow(clippy::cast_possible_truncation, reason = "a percentage")]
    let percent = service.cpu_percent.map(|percent| percent.round() as i64);
    host.cpu_percent = percent;
    host.cpu_period = service.cpu_period;
    host.cpu_quota = service.cpu_quota;
    host.cpu_realtime_period = service.cpu_rt_period;
    host.cpu_realtime_runtime = service.cpu_rt_runtime;
    host.cpu_shares = service.cpu_shares;
    host.cpuset_cpus.clone_from(&service.cpuset);
    host.nano_cpus = service.cpus.map(nano_cpus);
    host.memory = bytes(service.mem_limit);
    host.memory_reservation = bytes(service.mem_reservation);
    host.memory_swap = bytes(service.memswap_limit);
    host.memory_swappiness = service.mem_swappiness;
    host.pids_limit = service.pids_limit;
    host.ulimits = some_list(
        service
            .ulimits
            .iter()
            .map(|(name, limit)| ResourcesUlimits {
                name: Some(name.clone()),
                soft: Some(limit.soft),
                hard: Some(limit.hard),
            })
            .collect(),
    );
    host.device_cgroup_rules = some_list(service.device_cgroup_rules.clone());
    let deploy = service.deploy.as_ref().and_then(|deploy| deploy.resources.as_ref());
    if let Some(Resource { cpus, memory, pids, .. }) = deploy.and_then(|resources| resources.limits.as_ref()) {
        host.nano_cpus = cpus.map(nano_cpus).or(host.nano_cpus);
        host.memory = bytes(*memory).or(host.memory);
        host.pids_limit = pids.or(host.pids_limit);
    }
    if let Some(reserved) = deploy.and_then(|resources| resources.reservations.as_ref()) {
        host.memory_reservation = bytes(reserved.memory).or(host.memory_reservation);
    }
}

fn devices(host: &mut HostConfig, service: &Service) {
    let mut requests = Vec::new();
    let mut mappings = Vec::new();
    for device in &service.devices {
        // A name such as `vendor.com/gpu=all` is one of the Container Device Interface, not a path.
        if !device.source.starts_with('/') && device.source.contains('=') {
            requests.push(ApiDeviceRequest {
                driver: Some("cdi".to_owned()),
                device_ids: Some(vec![device.source.clone()]),
                ..Default::default()
            });
            continue;
        }
        mappings.push(DeviceMapping {
            path_on_host: Some(device.source.clone()),
            path_in_container: Some(device.target.clone().unwrap_or_else(|| device.source.clone())),
            cgroup_permissions: Some(device.permissions.clone().unwrap_or_else(|| "rwm".to_owned())),
        });
    }
    requests.extend(service.gpus.iter().map(|gpu| device_request(gpu, &["gpu"])));
    let deploy = service.deploy.as_ref().and_then(|deploy| deploy.resources.as_ref());
    let reserved = deploy.and_then(|resources| resources.reservations.as_ref());
    requests.extend(reserved.iter().flat_map(|r| &r.devices).map(|request| device_request(request, &[])));
    host.devices = some_list(mappings);
    host.device_requests = some_list(requests);
}

fn device_request(request: &DeviceRequest, always: &[&str]) -> ApiDeviceRequest {
    let mut capabilities = request.capabilities.clone();
    for word in always {
        if !capabilities.iter().any(|capability| capability == word) {
            capabilities.push((*word).to_owned());
        }
    }
    ApiDeviceRequest {
        driver: request.driver.clone(),
        // The engine refuses a count beside ids.
        count: if request.device_ids.is_empty() { Some(request.count.unwrap_or(-1)) } else { request.count },
        device_ids: some_list(request.device_ids.clone()),
        capabilities: Some(vec![capabilities]),
        options: some_map(&request.options),
    }
}

fn block_io(host: &mut HostConfig, blkio: &Value) -> Result<()> {
    let weight = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let list = |key: &str| blkio.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let path = |entry: &Value| entry.get("path").and_then(Value::as_str).map(str::to_owned);
    let rates = |key: &str| -> Result<Option<Vec<ThrottleDevice>>> {
        let mut devices = Vec::new();
        for entry in list(key) {
            devices.push(ThrottleDevice { path: path(&entry), rate: Some(rate(key, entry.get("rate"))?) });
        }
        Ok(some_list(devices))
    };
    host.blkio_weight = blkio.get("weight").and_then(weight).and_then(|weight| u16::try_from(weight).ok());
    let devices = list("weight_device");
    let weights = devices.iter().map(|entry| ResourcesBlkioWeightDevice {
        path: path(entry),
        weight: entry.get("weight").and_then(weight).and_then(|weight| usize::try_from(weight).ok()),
    });
    host.blkio_weight_device = some_list(weights.collect());
    host.blkio_device_read_bps = rates("device_read_bps")?;
    host.blkio_device_write_bps = rates("device_write_bps")?;
    host.blkio_device_read_iops = rates("device_read_iops")?;
    host.blkio_device_write_iops = rates("device_write_iops")?;
    Ok(())
}

fn rate(key: &str, value: Option<&Value>) -> Result<i64> {
    let rate = match value {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse::<ByteSize>().ok().map(|size| size.0),
        _ => None,
    };
    rate.ok_or_else(|| refused(format!("blkio_config.{key}: a rate is missing or is not a number such as 12mb")))
}
