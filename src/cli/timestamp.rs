//! `--since` and `--until`: a moment, or how long ago.

use crate::model::Interval;

/// Unix seconds of this moment.
pub fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(0)
}

/// The moment in Unix seconds: an RFC 3339 time (`2026-01-02T13:23:37Z`, also without the seconds, the zone or the
/// time of day, which are then zero and UTC), Unix seconds, or a duration before `now` such as `1h30m`.
pub fn parse(text: &str, now: i64) -> Result<i64, String> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(seconds);
    }
    // Engines take fractions of a second, and so do people; whole seconds are what the engine's logs are cut by here.
    let whole = text.split_once('.').filter(|(_, fraction)| fraction.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some((seconds, _)) = whole
        && let Ok(seconds) = seconds.parse::<i64>()
    {
        return Ok(seconds);
    }
    if let Some(moment) = moment(text) {
        return Ok(moment);
    }
    let interval: Interval = text.parse().map_err(|_| {
        format!("invalid time `{text}`: expected one such as 2026-01-02T13:23:37Z, or a duration such as 42m")
    })?;
    Ok(now - i64::try_from(interval.0.as_secs()).unwrap_or(i64::MAX).min(now))
}

/// An RFC 3339 time in Unix seconds.
fn moment(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.split('-').map(digits);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let seconds = match time {
        Some(time) => seconds_of_day(time)?,
        None => 0,
    };
    Some(days(year, month, day) * 86_400 + seconds)
}

/// Seconds since midnight UTC, of a time with an optional zone.
fn seconds_of_day(time: &str) -> Option<i64> {
    let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (&time[..at], offset(&time[at..])?),
        None => (time, 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    digits(fraction.get(..9).unwrap_or(fraction))?;
    let mut parts = clock.split(':').map(digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    // A leap second is the next second.
    let valid = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    valid.then_some(hour * 3_600 + minute * 60 + second - offset)
}

/// `Z`, `+02:00`, `-0700` in seconds.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, rest) = if let Some(rest) = zone.strip_prefix('+') { (1, rest) } else { (-1, zone.strip_prefix('-')?) };
    let rest = rest.replace(':', "");
    let number = digits(&rest).filter(|_| rest.len() == 4)?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Digits and nothing else, few enough not to overflow anything later.
fn digits(text: &str) -> Option<i64> {
    (!text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the Gregorian calendar. Years begin in March, so that the leap day is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let before = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + before + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_durations() {
        let now = 1_800_000_000;
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-01-02T13:23:37Z", 1_767_360_217),
            ("2026-01-02t13:23:37.123456789z", 1_767_360_217),
            ("2026-01-02 13:23:37", 1_767_360_217),
            ("2026-01-02T15:23:37+02:00", 1_767_360_217),
            ("2026-01-02T06:23:37-0700", 1_767_360_217),
            ("2026-01-02T13:23", 1_767_360_180),
            ("2026-01-02", 1_767_312_000),
            ("2100-03-01", 4_107_542_400),
            ("1767360217", 1_767_360_217),
            ("1767360217.5", 1_767_360_217),
            ("42m", now - 42 * 60),
            ("1h30m", now - 5_400),
            ("0", 0),
        ];
        for (text, want) in cases {
            assert_eq!(parse(text, now), Ok(want), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_said() {
        let texts = [
            "",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-01-32",
            "2026-01",
            "2026-01-02T25:00",
            "2026-01-02T1:2:3:4",
            "2026-01-02T00:00+25:00",
            "2026-01-02T00:00+1",
            "2026-01-02T00:00:00.xZ",
            "99999999999999-01-01",
            "-1m",
            "2026-01-02T",
        ];
        for text in texts {
            assert!(parse(text, 0).is_err(), "{text} was taken as {:?}", parse(text, 0));
        }
    }
}
