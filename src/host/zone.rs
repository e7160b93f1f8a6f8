//! The time zone that people read times in.

use tz::TimeZone;

/// What `TZ` names, else the machine's; UTC where neither can be read.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// Of this process. `variable` is `TZ`.
    pub fn of(variable: Option<&str>) -> Self {
        let zone = match variable {
            None => TimeZone::local(),
            // Empty is UTC, as for every program.
            Some("") => return Self(TimeZone::utc()),
            Some(name) => TimeZone::from_posix_tz(name),
        };
        Self(zone.unwrap_or_else(|_| TimeZone::utc()))
    }

    /// Seconds east of Greenwich at a moment in Unix seconds, and the zone's name there.
    pub fn at(&self, seconds: i64) -> (i32, String) {
        match self.0.find_local_time_type(seconds) {
            // The zone that is UTC by itself has no name.
            Ok(kind) if !kind.time_zone_designation().is_empty() => {
                (kind.ut_offset(), kind.time_zone_designation().to_owned())
            }
            _ => (0, "UTC".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_summer_and_winter() {
        let (summer, winter) = (1_784_000_000, 1_768_000_000);
        let cases = [
            (Some(""), summer, (0, "UTC")),
            (Some("no/such/zone"), summer, (0, "UTC")),
            (Some("CET-1CEST,M3.5.0,M10.5.0/3"), summer, (7_200, "CEST")),
            (Some("CET-1CEST,M3.5.0,M10.5.0/3"), winter, (3_600, "CET")),
            (Some("<+04>-4"), winter, (14_400, "+04")),
        ];
        for (variable, seconds, (offset, name)) in cases {
            assert_eq!(Zone::of(variable).at(seconds), (offset, name.to_owned()), "{variable:?}");
        }
    }
}
