//! The engine's timestamps.

use std::time::Duration;

use crate::model::time;

const SECOND: i64 = 1_000_000_000;

/// Unix seconds of an RFC 3339 timestamp, fractions cut off; 0 where it is not one.
pub(super) fn unix_seconds(text: &str) -> i64 {
    time::nanos_of(text).map_or(0, |nanos| nanos.div_euclid(SECOND))
}

/// The time since 1970 of an RFC 3339 timestamp, with its fraction; `None` where it is not one.
pub(super) fn unix_time(text: &str) -> Option<Duration> {
    time::nanos_of(text).and_then(|nanos| u64::try_from(nanos).ok()).map(Duration::from_nanos)
}

/// How long something lived that has ended; `None` where the end is no time. An engine may note the start of a program
/// that ends at once later than its end.
pub(super) fn lived(started: &str, finished: &str) -> Option<Duration> {
    let finished = unix_time(finished)?;
    Some(unix_time(started).map_or(Duration::ZERO, |started| finished.saturating_sub(started)))
}

/// An RFC 3339 timestamp of Unix seconds.
pub(super) fn rfc3339(seconds: i64) -> String {
    time::rfc3339(seconds.saturating_mul(SECOND)).replacen(".000000000", "", 1)
}

/// The engine counts in whole seconds; a fraction is rounded up, so that nothing is killed early.
pub(super) fn whole_seconds(time: Duration) -> i32 {
    i32::try_from(seconds(time)).unwrap_or(i32::MAX)
}

/// The same where there is no limit.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_count() {
        assert_eq!(unix_time("1970-01-01T00:00:01.25Z"), Some(Duration::from_millis(1250)));
        assert_eq!(unix_time("1970-01-01T00:00:02.123456789+00:00"), Some(Duration::new(2, 123_456_789)));
        assert_eq!(unix_time("1970-01-01T00:00:02Z"), Some(Duration::from_secs(2)));
        assert_eq!(unix_time("0001-01-01T00:00:00Z"), None, "never");
        assert_eq!(unix_time("x"), None);
    }

    #[test]
    fn timestamps() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00.123456789Z", 951_825_600),
            ("2026-11-24T05:39:24Z", 1_795_498_764),
            ("2026-11-24T07:39:24.5+02:00", 1_795_498_764),
            ("2026-11-24T00:09:24-05:30", 1_795_498_764),
            ("", 0),
            ("yesterday", 0),
        ] {
            assert_eq!(unix_seconds(text), seconds, "{text}");
        }
    }

    #[test]
    fn the_time_between_two() {
        let at = |fraction: &str| format!("2026-11-24T05:39:24{fraction}Z");
        assert_eq!(lived(&at(".98"), &at(".999999999")), Some(Duration::from_nanos(19_999_999)));
        assert_eq!(lived(&at(""), "2026-11-24T05:39:25.5Z"), Some(Duration::from_millis(1_500)));
        assert_eq!(lived(&at(".5"), &at("")), Some(Duration::ZERO));
        assert_eq!(lived("0001-01-01T00:00:00Z", &at("")), Some(Duration::ZERO));
        assert_eq!(lived(&at(""), "0001-01-01T00:00:00Z"), None);
    }

    #[test]
    fn timestamps_are_written_as_they_are_read() {
        for day in (-800..40_000).map(|n| n * 86_400 + n % 86_400) {
            assert_eq!(unix_seconds(&rfc3339(day)), day);
        }
        assert_eq!(rfc3339(951_825_600), "2000-02-29T12:00:00Z");
    }
}
