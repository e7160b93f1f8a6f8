//! Moments as engines and logs write them: RFC 3339, to the nanosecond.

/// Nanoseconds since 1970 of an RFC 3339 timestamp; `None` where it is not one.
pub fn nanos_of(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = text.get(19..)?;
    let digits = rest.strip_prefix('.').map_or("", |rest| {
        let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        &rest[..end.min(9)]
    });
    let fraction: i64 = format!("{digits:0<9}").parse().ok()?;
    let zone = rest.trim_start_matches(|char: char| char == '.' || char.is_ascii_digit());
    let offset = match zone.as_bytes() {
        [b'Z'] | [] => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(4..6)?.parse::<i64>().ok()?;
            minutes * 60 * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let seconds = ((days_of(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

/// The timestamp of a moment, always with nine digits behind the point, so that lines stand below each other.
pub fn rfc3339(nanos: i64) -> String {
    let (seconds, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
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
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z")
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, by counting years from March so that the leap day is
/// the last of its year.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T12:00:00.1Z", Some(1_709_208_000_100_000_000)),
            ("2024-02-29T12:00:00.123456789Z", Some(1_709_208_000_123_456_789)),
            ("2024-02-29T14:00:00+02:00", Some(1_709_208_000_000_000_000)),
            ("nonsense", None),
            ("2024-02-29T12:00:00x", None),
            ("", None),
        ] {
            assert_eq!(nanos_of(text), want, "{text}");
        }
    }

    #[test]
    fn moments_are_written_as_they_are_read() {
        for day in -800..800 {
            let nanos = day * 86_400_000_000_000 * 37 + 123;
            assert_eq!(nanos_of(&rfc3339(nanos)), Some(nanos));
        }
        assert_eq!(rfc3339(951_825_600_000_000_001), "2000-02-29T12:00:00.000000001Z");
    }
}
