//! The engine's timestamps.

use std::time::Duration;

/// Unix seconds of an RFC 3339 timestamp, fractions cut off; 0 where it is not one.
pub(super) fn unix_seconds(text: &str) -> i64 {
    parse(text).unwrap_or(0)
}

/// The time since 1970 of an RFC 3339 timestamp, with its fraction; `None` where it is not one.
pub(super) fn unix_time(text: &str) -> Option<Duration> {
    let seconds = u64::try_from(parse(text)?).ok()?;
    let digits: String = text.get(19..)?.strip_prefix('.').unwrap_or_default().chars().take(9).collect();
    let digits = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    Some(Duration::new(seconds, format!("{digits:0<9}").parse().unwrap_or_default()))
}

/// How much later one timestamp is than another; `None` where it is not, or one of them is none.
pub(super) fn between(from: &str, to: &str) -> Option<Duration> {
    unix_time(to)?.checked_sub(unix_time(from)?)
}

/// An RFC 3339 timestamp of Unix seconds.
pub(super) fn rfc3339(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // The calendar below, backwards.
    let since = days + 719_468;
    let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let of_400 = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_400 + of_400 / 4 - of_400 / 100);
    let m = (5 * of_year + 2) / 153;
    let day = of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = of_400 + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn parse(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let zone = text.get(19..)?.trim_start_matches(['.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    let offset = match zone.as_bytes() {
        [b'Z'] | [] => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let hours: i64 = zone.get(1..3)?.parse().ok()?;
            let minutes: i64 = zone.get(4..6)?.parse().ok()?;
            (hours * 3600 + minutes * 60) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    // Days since 1970 of a date in the proleptic Gregorian calendar, with the year starting in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * m + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + seconds - offset)
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
        assert_eq!(between(&at(".98"), &at(".999999999")), Some(Duration::from_nanos(19_999_999)));
        assert_eq!(between(&at(""), "2026-11-24T05:39:25.5Z"), Some(Duration::from_millis(1_500)));
        assert_eq!(between(&at(".5"), &at("")), None);
        assert_eq!(between(&at(""), "0001-01-01T00:00:00Z"), None);
    }

    #[test]
    fn timestamps_are_written_as_they_are_read() {
        for day in (-800..40_000).map(|n| n * 86_400 + n % 86_400) {
            assert_eq!(unix_seconds(&rfc3339(day)), day);
        }
        assert_eq!(rfc3339(951_825_600), "2000-02-29T12:00:00Z");
    }
}
