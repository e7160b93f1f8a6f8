//! What an unquoted YAML scalar means, by the rules of the YAML reader that Docker Compose is built on: YAML 1.2's
//! core schema, with 1.1's octal, binary and underscored integers and its timestamps, and without `yes` and `on`.

use super::node::Value;

/// The value of a plain scalar.
pub fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Value::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return Value::Str(text.to_owned());
    }
    if is_date(text) {
        return Value::Date(text.to_owned());
    }
    let plain = if text.contains('_') { text.replace('_', "") } else { text.to_owned() };
    if let Some(value) = integer(&plain) {
        return Value::Int(value);
    }
    // As in Compose's reader, what no float can hold stays a text.
    if is_float(&plain)
        && let Ok(value) = plain.parse::<f64>()
        && value.is_finite()
    {
        return Value::Float(value);
    }
    Value::Str(text.to_owned())
}

/// An integer with Go's prefixes, as far as 64 bits reach, signed or not.
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from(u64::from_str_radix(digits, radix).ok()?);
    let value = if negative { -value } else { value };
    (value >= i128::from(i64::MIN)).then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            !exponent.is_empty() && digits(exponent)
        })
}

/// `2024-01-31`, alone or with a time of day behind it.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let mut parts = date[5..].split('-');
    let number = |part: Option<&str>, most: u32| {
        part.is_some_and(|part| {
            (1..=2).contains(&part.len()) && part.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n))
        })
    };
    if !number(parts.next(), 12) || !number(parts.next(), 31) || parts.next().is_some() {
        return false;
    }
    time.is_none_or(|time| {
        let clock = time.trim_end_matches('Z');
        let clock = clock.find(['+', '-']).map_or(clock, |at| &clock[..at]);
        let clock = clock.trim_end();
        let mut parts = clock.split(':');
        parts.clone().count() == 3 && parts.all(|part| part.parse::<f64>().is_ok_and(|n| (0.0..60.0).contains(&n)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_compose_takes_them_for() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("true", Value::Bool(true)),
            ("yes", Value::Str("yes".into())),
            ("on", Value::Str("on".into())),
            ("010", Value::Int(8)),
            ("08", Value::Float(8.0)),
            ("0x10", Value::Int(16)),
            ("0b11", Value::Int(3)),
            ("0o17", Value::Int(15)),
            ("1_000", Value::Int(1000)),
            ("-12", Value::Int(-12)),
            ("18446744073709551615", Value::Int(18_446_744_073_709_551_615)),
            ("1e3", Value::Float(1000.0)),
            ("1.50", Value::Float(1.5)),
            (".5", Value::Float(0.5)),
            ("1.2.3", Value::Str("1.2.3".into())),
            ("10m", Value::Str("10m".into())),
            ("80:80", Value::Str("80:80".into())),
            ("2024-01-31", Value::Date("2024-01-31".into())),
            ("2024-01-31 10:11:12", Value::Date("2024-01-31 10:11:12".into())),
            ("2024-13-31", Value::Str("2024-13-31".into())),
            ("0", Value::Int(0)),
            ("-", Value::Str("-".into())),
        ] {
            assert_eq!(resolve(text), value, "{text:?}");
        }
    }

    #[test]
    fn floats_print_as_go_prints_them() {
        for (value, text) in
            [(1000.0, "1000"), (1.5, "1.5"), (1e21, "1e+21"), (1e-5, "1e-05"), (0.0001, "0.0001"), (0.0, "0")]
        {
            assert_eq!(super::super::node::go_float(value), text);
        }
    }
}
