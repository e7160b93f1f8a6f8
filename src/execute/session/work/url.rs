//! Where services can be reached from the host.

use crate::model::{Observed, Port, ServiceName};

/// Where a published port answers. Ports of well-known services that do not speak HTTP are shown as an address.
pub fn url(port: &Port, service: &ServiceName, observed: &Observed) -> Option<String> {
    let target = u16::try_from(port.target).ok()?;
    if port.protocol.as_deref() == Some("udp") {
        return None;
    }
    let published = observed
        .of_service(service)
        .flat_map(|c| &c.ports)
        .find(|p| p.container_port == target && p.host_port != 0 && p.protocol == "tcp")?;
    let host = match published.host_ip.as_str() {
        "" | "0.0.0.0" | "::" | "127.0.0.1" | "::1" => "localhost",
        other => other,
    };
    let address = format!("{host}:{}", published.host_port);
    let scheme = match (port.app_protocol.as_deref(), target) {
        (Some(scheme), _) => scheme,
        (None, 443 | 8443) => "https",
        (None, 22 | 25 | 53 | 1433 | 1521 | 1883 | 3306 | 4222 | 5432 | 5672 | 6379 | 9092 | 11211 | 27017) => {
            return Some(address);
        }
        (None, _) => "http",
    };
    Some(format!("{scheme}://{address}"))
}
