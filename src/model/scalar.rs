//! Durations and byte sizes as Compose files write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that is not a duration or a byte size; `expected` says what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct ParseScalarError {
    /// What was written.
    pub text: String,
    /// What was expected, with an example.
    pub expected: &'static str,
}

/// A duration in Go's notation: `1m30s`, `500ms`, `1.5h`. Serialises as Go's `Duration.String()` prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub Duration);

const DURATION: &str = "a duration such as \"10s\" or \"1m30s\"";

impl FromStr for Interval {
    type Err = ParseScalarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseScalarError { text: text.to_owned(), expected: DURATION };
        if text == "0" {
            return Ok(Self::default());
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest.is_empty() {
            return Err(error());
        }
        let mut nanos: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(error)?;
            let (number, after) = rest.split_at(digits);
            let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            let unit: u64 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60 * 1_000_000_000,
                "h" => 3_600 * 1_000_000_000,
                "d" => 24 * 3_600 * 1_000_000_000,
                "w" => 7 * 24 * 3_600 * 1_000_000_000,
                _ => return Err(error()),
            };
            nanos = nanos.checked_add(scaled(number, unit).ok_or_else(error)?).ok_or_else(error)?;
            rest = after;
        }
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

/// `number` (digits with at most one point) times `unit`, in whole nanoseconds.
fn scaled(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(unit)?;
    let mut step = unit;
    for digit in fraction.bytes() {
        step /= 10;
        total = total.checked_add(u64::from(digit - b'0') * step)?;
    }
    Some(total)
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (unit, suffix) = match nanos {
            0 => return f.write_str("0s"),
            1..1_000 => (1, "ns"),
            1_000..1_000_000 => (1_000, "µs"),
            1_000_000..1_000_000_000 => (1_000_000, "ms"),
            _ => (1_000_000_000, "s"),
        };
        let (mut whole, fraction) = (nanos / unit, nanos % unit);
        if suffix == "s" {
            let (hours, minutes) = (whole / 3_600, whole / 60 % 60);
            if hours > 0 {
                write!(f, "{hours}h")?;
            }
            if whole >= 60 {
                write!(f, "{minutes}m")?;
            }
            whole %= 60;
        }
        write!(f, "{whole}")?;
        if fraction > 0 {
            let width = match unit {
                1_000_000_000 => 9,
                1_000_000 => 6,
                _ => 3,
            };
            let digits = format!("{fraction:0width$}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(suffix)
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A number of bytes: `64m`, `1.5gb`, `1024`. Units are powers of 1024, as Docker reads them. Serialises as a string
/// of plain bytes, as `docker compose config` prints it. Negative only where the specification allows it
/// (`memswap_limit: -1`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub i64);

const SIZE: &str = "a byte size such as \"512m\" or \"1.5gb\"";

impl FromStr for ByteSize {
    type Err = ParseScalarError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseScalarError { text: text.to_owned(), expected: SIZE };
        if text == "-1" {
            return Ok(Self(-1));
        }
        let lower = text.to_ascii_lowercase();
        let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
        let (number, unit) = lower.split_at(digits);
        let unit: u64 = match unit.trim_start() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            "p" | "pb" | "pib" => 1 << 50,
            _ => return Err(error()),
        };
        // Docker's units library multiplies a float, so 1.5g is exact and 0.1k is cut off.
        let number: f64 = number.parse().map_err(|_| error())?;
        #[allow(clippy::cast_precision_loss, reason = "units are powers of two, exact in a float")]
        let bytes = number * unit as f64;
        #[allow(clippy::cast_precision_loss, reason = "only the bound is compared")]
        if !bytes.is_finite() || bytes >= i64::MAX as f64 {
            return Err(error());
        }
        #[allow(clippy::cast_possible_truncation, reason = "Docker's units library cuts off too")]
        Ok(Self(bytes as i64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From text as people write it, or from a number of bytes.
impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;

        impl de::Visitor<'_> for Size {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(SIZE)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                let error = || E::custom(ParseScalarError { text: bytes.to_string(), expected: SIZE });
                if bytes < -1 { Err(error()) } else { Ok(ByteSize(bytes)) }
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                let error = |_| E::custom(ParseScalarError { text: bytes.to_string(), expected: SIZE });
                i64::try_from(bytes).map(ByteSize).map_err(error)
            }
        }

        deserializer.deserialize_any(Size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_go_does() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1.5h", "1h30m0s"),
            ("500ms", "500ms"),
            ("1500us", "1.5ms"),
            ("0", "0s"),
            ("2h", "2h0m0s"),
            ("1m0.5s", "1m0.5s"),
        ] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), printed, "{text}");
        }
        for text in ["", "5", "s", "1x", "1..5s", "-1s", "99999999999999h", "."] {
            assert!(text.parse::<Interval>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in
            [("64m", 64 << 20), ("1.5gb", 3 << 29), ("1024", 1024), ("1 KiB", 1024), ("-1", -1), ("10B", 10)]
        {
            assert_eq!(text.parse::<ByteSize>().unwrap().0, bytes, "{text}");
        }
        for text in ["", "m", "1x", "-5", "1e400g", "99999999999p"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn a_size_is_read_from_a_number_too() {
        for (json, size) in
            [("\"1k\"", Some(1024)), ("1024", Some(1024)), ("-1", Some(-1)), ("-2", None), ("1.5", None)]
        {
            assert_eq!(serde_json::from_str::<ByteSize>(json).ok().map(|size| size.0), size, "{json}");
        }
    }
}
