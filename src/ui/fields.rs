//! Durations and sizes as people read them.

use std::time::Duration;

/// Milliseconds: `14 ms`, `3.2 s`, `2 min 5 s`.
pub(super) fn millis(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// Whole seconds, short: `45s`, `2m 5s`.
pub(super) fn seconds(seconds: u64) -> String {
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m {}s", seconds / 60, seconds % 60) }
}

/// Seconds that are still counting: `12.3s`, `2m 5s`.
pub(super) fn tenths(took: Duration) -> String {
    if took.as_secs() < 60 {
        format!("{}.{}s", took.as_secs(), took.subsec_millis() / 100)
    } else {
        seconds(took.as_secs())
    }
}

/// Microseconds, with one digit after the point below ten milliseconds.
pub(super) fn micros(us: u64) -> String {
    if us < 10_000 { format!("{}.{} ms", us / 1_000, us % 1_000 / 100) } else { millis((us + 500) / 1_000) }
}

/// Bytes in powers of 1000, as Docker shows transfers: `12.3 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

/// How far something is: `1.2 MB of 3.4 MB`, or what there is of it.
pub(super) fn transfer(current: u64, total: u64) -> String {
    if total > 0 { format!("{} of {}", bytes(current.min(total)), bytes(total)) } else { bytes(current) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_read_them() {
        let cases = [
            (millis(0), "0 ms"),
            (millis(999), "999 ms"),
            (millis(3_249), "3.2 s"),
            (millis(125_999), "2 min 5 s"),
            (seconds(59), "59s"),
            (seconds(125), "2m 5s"),
            (tenths(Duration::from_millis(12_345)), "12.3s"),
            (tenths(Duration::from_secs(125)), "2m 5s"),
            (micros(3_141), "3.1 ms"),
            (micros(14_499), "14 ms"),
            (micros(14_500), "15 ms"),
            (micros(4_200_000), "4.2 s"),
            (bytes(999), "999 B"),
            (bytes(12_345_678), "12.3 MB"),
            (bytes(2_000_000_000), "2.0 GB"),
            (transfer(5_000, 0), "5.0 kB"),
            (transfer(5_000, 12_000), "5.0 kB of 12.0 kB"),
        ];
        for (got, want) in cases {
            assert_eq!(got, want);
        }
    }
}
