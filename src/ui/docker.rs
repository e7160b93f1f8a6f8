//! Numbers, times and lists as Docker's command line writes them, for what people and scripts know from there.

use indexmap::IndexMap;

use crate::model::{Published, time};

/// How long ago, as `docker ps` says it: `About a minute ago`.
pub fn ago(now: i64, then: i64) -> String {
    format!("{} ago", duration(now.saturating_sub(then)))
}

/// A length of time in seconds, as a person says it.
fn duration(seconds: i64) -> String {
    // Half an hour more makes it the next hour.
    let hours = (seconds + 1_800) / 3_600;
    match (seconds, hours) {
        (..1, _) => "Less than a second".to_owned(),
        (1, _) => "1 second".to_owned(),
        (2..60, _) => format!("{seconds} seconds"),
        (60..120, _) => "About a minute".to_owned(),
        (120..3_600, _) => format!("{} minutes", seconds / 60),
        (_, 1) => "About an hour".to_owned(),
        (_, ..48) => format!("{hours} hours"),
        (_, ..336) => format!("{} days", hours / 24),
        (_, ..1_440) => format!("{} weeks", hours / 24 / 7),
        (_, ..17_520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", hours / 24 / 365),
    }
}

/// A moment in a zone: `2026-11-28 07:06:39 +0100 CET`.
pub fn moment(seconds: i64, (offset, zone): (i32, &str)) -> String {
    let (date, time) = date_and_time(seconds.saturating_mul(1_000_000_000), offset);
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs() / 60;
    format!("{date} {} {sign}{:02}{:02} {zone}", &time[..8], minutes / 60, minutes % 60)
}

/// A moment to the microsecond, as `docker compose events` has it: `2026-11-28 07:08:17.079714`.
pub fn stamp(nanos: i64, offset: i32) -> String {
    let (date, time) = date_and_time(nanos, offset);
    format!("{date} {}", &time[..15])
}

/// The same as RFC 3339 has it, without noughts at the end: `2026-11-28T07:08:17.0797141Z`.
pub fn rfc3339(nanos: i64, offset: i32) -> String {
    let (date, time) = date_and_time(nanos, offset);
    let (whole, fraction) = time.split_once('.').unwrap_or((&time, ""));
    let fraction = fraction.trim_end_matches('0');
    let time = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    let minutes = offset.unsigned_abs() / 60;
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => format!("{}{:02}:{:02}", if offset < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
    };
    format!("{date}T{time}{zone}")
}

/// `2026-11-28` and `07:08:17.079714123`.
fn date_and_time(nanos: i64, offset: i32) -> (String, String) {
    let local = time::rfc3339(nanos.saturating_add(i64::from(offset) * 1_000_000_000));
    let (date, time) = local.split_once('T').unwrap_or(("", ""));
    (date.to_owned(), time.trim_end_matches('Z').to_owned())
}

/// Bytes in powers of 1000 with three digits: `1.98MB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, 1_000, 3, &["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// Bytes in powers of 1024 with four digits: `1.816MiB`.
pub fn binary_size(bytes: u64) -> String {
    scaled(bytes, 1_024, 4, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
}

fn scaled(bytes: u64, base: u32, digits: usize, units: &[&str]) -> String {
    #[allow(clippy::cast_precision_loss, reason = "a few digits are shown")]
    let mut number = bytes as f64;
    let mut unit = 0;
    while number >= f64::from(base) && unit + 1 < units.len() {
        number /= f64::from(base);
        unit += 1;
    }
    format!("{}{}", significant(number, digits), units[unit])
}

/// C's `%.3g` of a number that is not negative: so many digits that count, and no noughts behind the point.
fn significant(number: f64, digits: usize) -> String {
    let before = (0..20).take_while(|power| number >= 10_f64.powi(*power)).count().max(1);
    let text = format!("{number:.*}", digits.saturating_sub(before));
    if text.split('.').next().is_some_and(|whole| whole.len() > digits) {
        // 999.6 with three digits is 1000.
        return exponent_of(number, digits);
    }
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The same for what has more digits before the point than are shown: `1e+03`.
fn exponent_of(number: f64, digits: usize) -> String {
    let text = format!("{number:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    format!("{}e+{exponent:0>2}", mantissa.trim_end_matches('0').trim_end_matches('.'))
}

/// A text of at most so many characters, of which the last is then `…`.
pub fn ellipsis(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A text in double quotes, as Go quotes it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for char in text.chars() {
        match char {
            '"' | '\\' => quoted.extend(['\\', char]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            char if char.is_ascii_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(char))),
            char if char.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// `0.0.0.0:80`, `[::]:80`.
pub fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Ports as `docker ps` lists them: what has the same number on both sides by ranges, then the rest.
pub fn ports(ports: &[Published]) -> String {
    let mut ports: Vec<&Published> = ports.iter().collect();
    ports.sort_by_key(|port| (port.container_port, &port.host_ip, port.host_port, &port.protocol));
    let (mut done, mut mapped) = (Vec::new(), Vec::new());
    // The range that each address and protocol is at, in the order in which they came.
    let mut ranges: IndexMap<(&str, &str), (u16, u16)> = IndexMap::new();
    for port in ports {
        let number = port.container_port;
        if !port.host_ip.is_empty() && port.host_port != number {
            mapped.push(format!("{}->{number}/{}", address(&port.host_ip, port.host_port), port.protocol));
            continue;
        }
        let key = (port.host_ip.as_str(), port.protocol.as_str());
        match ranges.get_mut(&key) {
            None => drop(ranges.insert(key, (number, number))),
            Some((_, last)) if Some(number) == last.checked_add(1) => *last = number,
            Some(at) => {
                done.push(range(key, *at));
                *at = (number, number);
            }
        }
    }
    done.extend(ranges.into_iter().map(|(key, at)| range(key, at)));
    done.extend(mapped);
    done.join(", ")
}

fn range((host, protocol): (&str, &str), (first, last): (u16, u16)) -> String {
    let numbers = if first == last { first.to_string() } else { format!("{first}-{last}") };
    match host {
        "" => format!("{numbers}/{protocol}"),
        host if host.contains(':') => format!("[{host}]:{numbers}->{numbers}/{protocol}"),
        host => format!("{host}:{numbers}->{numbers}/{protocol}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_docker_says_them() {
        let (minute, hour, day) = (60, 3_600, 86_400);
        let cases = [
            (-5, "Less than a second ago"),
            (0, "Less than a second ago"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "About a minute ago"),
            (119, "About a minute ago"),
            (2 * minute, "2 minutes ago"),
            (hour - 1, "59 minutes ago"),
            (hour, "About an hour ago"),
            (89 * minute, "About an hour ago"),
            (90 * minute, "2 hours ago"),
            (47 * hour, "47 hours ago"),
            (48 * hour, "2 days ago"),
            (13 * day, "13 days ago"),
            (14 * day, "2 weeks ago"),
            (59 * day, "8 weeks ago"),
            (60 * day, "2 months ago"),
            (729 * day, "24 months ago"),
            (730 * day, "2 years ago"),
        ];
        for (seconds, want) in cases {
            assert_eq!(ago(1_000_000_000, 1_000_000_000 - seconds), want, "{seconds}");
        }
    }

    #[test]
    fn moments_have_their_zone() {
        assert_eq!(moment(1_795_849_599, (0, "UTC")), "2026-11-28 07:06:39 +0000 UTC");
        assert_eq!(moment(1_795_849_599, (3_600, "CET")), "2026-11-28 08:06:39 +0100 CET");
        assert_eq!(moment(1_795_849_599, (-12_600, "-0330")), "2026-11-28 03:36:39 -0330 -0330");
        assert_eq!(stamp(1_795_849_697_079_714_123, 0), "2026-11-28 07:08:17.079714");
        assert_eq!(rfc3339(1_795_849_697_100_000_000, 0), "2026-11-28T07:08:17.1Z");
        assert_eq!(rfc3339(1_795_849_700_000_000_000, -12_600), "2026-11-28T03:38:20-03:30");
        assert_eq!(stamp(0, -3_600), "1969-12-31 23:00:00.000000");
    }

    #[test]
    fn sizes_have_the_digits_that_count() {
        let cases = [
            (0, "0B", "0B"),
            (999, "999B", "999B"),
            (1_023, "1.02kB", "1023B"),
            (1_210, "1.21kB", "1.182KiB"),
            (1_984_308, "1.98MB", "1.892MiB"),
            (2_000_000, "2MB", "1.907MiB"),
            (335_872, "336kB", "328KiB"),
            (10_500_000_000, "10.5GB", "9.779GiB"),
            (123_456_789, "123MB", "117.7MiB"),
            (999_600, "1e+03kB", "976.2KiB"),
            (u64::MAX, "18.4EB", "16EiB"),
        ];
        for (bytes, decimal, binary) in cases {
            assert_eq!((size(bytes).as_str(), binary_size(bytes).as_str()), (decimal, binary), "{bytes}");
        }
    }

    #[test]
    fn texts_are_cut_and_quoted() {
        assert_eq!(ellipsis("sleep 3600", 20), "sleep 3600");
        assert_eq!(ellipsis("sh -c 'while true; do x'", 20), "sh -c 'while true; …");
        assert_eq!(quoted("a \"b\" \\ é\n\u{1b}[0m\u{9b}"), "\"a \\\"b\\\" \\\\ é\\n\\x1b[0m\\u009b\"");
    }

    #[test]
    fn ports_are_joined_where_both_sides_are_the_same() {
        let port = |host_ip: &str, host_port, container_port, protocol: &str| Published {
            host_ip: host_ip.into(),
            host_port,
            container_port,
            protocol: protocol.into(),
        };
        let cases = [
            (vec![], ""),
            (vec![port("", 0, 80, "tcp"), port("", 0, 81, "tcp"), port("", 0, 443, "tcp")], "80-81/tcp, 443/tcp"),
            (
                vec![
                    port("::", 8081, 8081, "tcp"),
                    port("0.0.0.0", 8081, 8081, "tcp"),
                    port("0.0.0.0", 8080, 8080, "tcp"),
                ],
                "0.0.0.0:8080-8081->8080-8081/tcp, [::]:8081->8081/tcp",
            ),
            (
                vec![
                    port("127.0.0.1", 18081, 8081, "tcp"),
                    port("127.0.0.1", 18080, 8080, "tcp"),
                    port("", 0, 0, "tcp"),
                ],
                "0/tcp, 127.0.0.1:18080->8080/tcp, 127.0.0.1:18081->8081/tcp",
            ),
            (
                vec![port("0.0.0.0", 53, 53, "udp"), port("0.0.0.0", 53, 53, "tcp")],
                "0.0.0.0:53->53/tcp, 0.0.0.0:53->53/udp",
            ),
        ];
        for (list, want) in cases {
            assert_eq!(ports(&list), want);
        }
    }
}
