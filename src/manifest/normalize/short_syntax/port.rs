//! `[[address:]host:]container[/protocol]`, the short form of a port.

use std::net::IpAddr;

use crate::manifest::read::yaml::{Map, Node, Value};
use crate::manifest::report::Report;
use crate::manifest::report::diagnostic::Code;

/// A port that was written in one line; a range on both sides becomes several of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShortPort {
    /// Address of the host.
    pub host_ip: String,
    /// Port in the container.
    pub target: u16,
    /// Port of the host, or a range.
    pub published: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

/// Takes a short form apart.
///
/// # Errors
/// What is wrong with it.
pub fn parse(spec: &str) -> Result<Vec<ShortPort>, String> {
    let bad = |what: &str| format!("the port {spec:?} {what}");
    let (body, protocol) = match spec.split_once('/') {
        Some((body, protocol)) => (body, protocol.to_ascii_lowercase()),
        None => (spec, "tcp".to_owned()),
    };
    if body.is_empty() {
        return Err(bad("has no number: expected `host:container`"));
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(bad("has an unknown protocol: expected `tcp`, `udp` or `sctp`"));
    }
    let (address, host, container) = split(body);
    if container.is_empty() {
        return Err(bad("has no port in the container: expected `host:container`"));
    }
    let bare = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bare.is_none() && address.contains(':') {
        return Err(bad("has an address of version 6 without brackets: expected `[::1]:8080:80`"));
    }
    let address = bare.unwrap_or(address);
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(bad("has an address of the host that is no IP address"));
    }
    let (first, last) =
        range(container).ok_or_else(|| bad("has an invalid container port: expected a number from 1 to 65535"))?;
    if first == 0 {
        return Err(bad("has 0 as the port in the container"));
    }
    let (mut low, mut high) = (0, 0);
    if !host.is_empty() {
        (low, high) = range(host).ok_or_else(|| bad("has an invalid host port: expected a number from 0 to 65535"))?;
    }
    let single = first == last;
    if !host.is_empty() && last - first != high - low && !single {
        return Err(bad("has ranges of different lengths"));
    }
    let mut ports = Vec::with_capacity(usize::from(last - first) + 1);
    for offset in 0..=(last - first) {
        let published = if host.is_empty() {
            String::new()
        } else if single && low != high {
            format!("{low}-{high}")
        } else {
            (low + offset).to_string()
        };
        ports.push(ShortPort {
            host_ip: address.to_owned(),
            target: first + offset,
            published,
            protocol: protocol.clone(),
        });
    }
    Ok(ports)
}

/// Address, host port and container port; the parts from the left may be missing.
fn split(body: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = body.rsplit_once(':') else { return ("", "", body) };
    match rest.rsplit_once(':') {
        Some((address, host)) => (address, host, container),
        None => ("", rest, container),
    }
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let (low, high) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then_some((low, high))
}

/// Whether every short port can be read.
pub fn readable(node: &Node) -> bool {
    node.as_list().into_iter().flatten().all(|item| item.as_str().is_none_or(|text| parse(text).is_ok()))
}

/// Ports in one line as mappings; a range becomes several.
pub fn expand(node: &mut Node, report: &mut Report) {
    let Some(list) = node.as_list_mut() else { return };
    let mut ports = Vec::with_capacity(list.len());
    for item in std::mem::take(list) {
        let text = match &item.value {
            Value::Int(number) => number.to_string(),
            Value::Str(text) => text.clone(),
            _ => {
                ports.push(item);
                continue;
            }
        };
        match parse(&text) {
            Ok(mut short) => {
                // Compose sorts the ports of a range as text.
                short.sort_by_key(|port| format!("{}/{}", port.target, port.protocol));
                ports.extend(short.into_iter().map(|port| long(&port, &item)));
            }
            Err(message) => report.error_help(
                Code::Value,
                item.span,
                message,
                "write `container`, `host:container` or `address:host:container`, and `/udp` behind it if it is UDP",
            ),
        }
    }
    *list = ports;
}

fn long(port: &ShortPort, item: &Node) -> Node {
    let span = item.span;
    let mut map = Map::default();
    map.insert("mode".to_owned(), Node::text("ingress", span));
    if !port.host_ip.is_empty() {
        map.insert("host_ip".to_owned(), Node::text(&port.host_ip, span));
    }
    map.insert("target".to_owned(), Node::new(Value::Int(port.target.into()), span));
    if !port.published.is_empty() {
        map.insert("published".to_owned(), Node::text(&port.published, span));
    }
    map.insert("protocol".to_owned(), Node::text(&port.protocol, span));
    item.with(Value::Map(map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(spec: &str) -> Vec<(String, String, u16, String)> {
        parse(spec).unwrap().into_iter().map(|p| (p.host_ip, p.published, p.target, p.protocol)).collect()
    }

    #[test]
    fn short_forms() {
        let port = |ip: &str, published: &str, target, protocol: &str| {
            (ip.to_owned(), published.to_owned(), target, protocol.to_owned())
        };
        assert_eq!(list("80"), [port("", "", 80, "tcp")]);
        assert_eq!(list("8080:80/udp"), [port("", "8080", 80, "udp")]);
        assert_eq!(list("127.0.0.1:8080:80"), [port("127.0.0.1", "8080", 80, "tcp")]);
        assert_eq!(list("127.0.0.1::80"), [port("127.0.0.1", "", 80, "tcp")]);
        assert_eq!(list("[::1]:8080:80"), [port("::1", "8080", 80, "tcp")]);
        assert_eq!(list("3000-3001:4000-4001"), [port("", "3000", 4000, "tcp"), port("", "3001", 4001, "tcp")]);
        assert_eq!(list("9090-9091:8080"), [port("", "9090-9091", 8080, "tcp")]);
        assert_eq!(list("3000-3001"), [port("", "", 3000, "tcp"), port("", "", 3001, "tcp")]);
        for spec in
            ["", ":", "a:80", "80:", "80/x", "1-2:1-3", "300.1.1.1:80:80", "70000", "90-80", "::1:80:80", "80:0"]
        {
            assert!(parse(spec).is_err(), "{spec:?}");
        }
    }
}
