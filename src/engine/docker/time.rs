//! The engine's timestamps.

/// Unix seconds of an RFC 3339 timestamp, fractions cut off; 0 where it is not one.
pub(super) fn unix_seconds(text: &str) -> i64 {
    parse(text).unwrap_or(0)
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
}
