//! `printf` as Go has it (<https://pkg.go.dev/fmt>), for texts, numbers and truth.

use std::iter::Peekable;
use std::str::Chars;

use super::value::{Value, exponent};

/// The widest field.
const WIDEST: usize = 64 * 1024;

#[derive(Default)]
struct Directive {
    left: bool,
    plus: bool,
    blank: bool,
    sharp: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// The format with the values in it. What does not fit is said in the text, as Go does.
pub(super) fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut printed = String::new();
    let mut values = values.iter();
    let mut chars = format.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            printed.push(char);
            continue;
        }
        let mut directive = Directive::default();
        flags(&mut chars, &mut directive);
        directive.width = size(&mut chars, &mut values)?;
        if chars.next_if_eq(&'.').is_some() {
            directive.precision = Some(size(&mut chars, &mut values)?.unwrap_or_default());
        }
        match chars.next() {
            None => printed.push_str("%!(NOVERB)"),
            Some('%') => printed.push('%'),
            Some(verb) => match values.next() {
                None => printed.push_str(&format!("%!{verb}(MISSING)")),
                Some(value) => printed.push_str(&directive.print(verb, value)),
            },
        }
    }
    let extra: Vec<String> = values.map(|value| format!("{}={value}", value.kind())).collect();
    if !extra.is_empty() {
        printed.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    Ok(printed)
}

fn flags(chars: &mut Peekable<Chars<'_>>, directive: &mut Directive) {
    while let Some(flag) = chars.next_if(|char| matches!(char, '-' | '+' | ' ' | '#' | '0')) {
        match flag {
            '-' => directive.left = true,
            '+' => directive.plus = true,
            ' ' => directive.blank = true,
            '#' => directive.sharp = true,
            _ => directive.zero = true,
        }
    }
}

/// A number in the format, or of the next value for `*`.
fn size<'a>(
    chars: &mut Peekable<Chars<'_>>,
    values: &mut impl Iterator<Item = &'a Value>,
) -> Result<Option<usize>, String> {
    let mut number = None;
    if chars.next_if_eq(&'*').is_some() {
        number = match values.next() {
            Some(Value::Int(number)) => usize::try_from(*number).ok(),
            _ => return Err("`*` in the format takes a number".to_owned()),
        };
    } else {
        while let Some(digit) = chars.peek().and_then(|char| char.to_digit(10)) {
            chars.next();
            number = Some(number.unwrap_or(0usize).saturating_mul(10).saturating_add(digit as usize));
        }
    }
    match number {
        Some(number) if number > WIDEST => Err(format!("{number} in the format is more than {WIDEST}")),
        number => Ok(number),
    }
}

impl Directive {
    fn print(&self, verb: char, value: &Value) -> String {
        let plain = match (verb, value) {
            ('v' | 's', Value::Text(text)) => self.cut(text),
            ('v', Value::Int(number)) => return self.number(*number, 10, false),
            ('v', value) => value.to_string(),
            // Of a list each element is printed by the verb.
            (_, Value::List(list)) => {
                let inner = Self { width: None, ..*self };
                let list: Vec<String> = list.iter().map(|value| inner.print(verb, value)).collect();
                format!("[{}]", list.join(" "))
            }
            ('q', Value::Text(text)) => format!("{:?}", self.cut(text)),
            ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            ('X', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02X}")).collect(),
            ('t', Value::Bool(value)) => value.to_string(),
            ('d', Value::Int(number)) => return self.number(*number, 10, false),
            ('x', Value::Int(number)) => return self.number(*number, 16, false),
            ('X', Value::Int(number)) => return self.number(*number, 16, true),
            ('o', Value::Int(number)) => return self.number(*number, 8, false),
            ('b', Value::Int(number)) => return self.number(*number, 2, false),
            ('c', Value::Int(number)) => {
                u32::try_from(*number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('f' | 'F', Value::Float(number)) => return self.signed(format!("{:.*}", self.digits(), number)),
            ('e', Value::Float(number)) => return self.signed(exponent(&format!("{:.*e}", self.digits(), number))),
            ('g', Value::Float(_)) => return self.signed(value.to_string()),
            (verb, value) => format!("%!{verb}({}={value})", value.kind()),
        };
        self.padded(&plain, "")
    }

    fn digits(&self) -> usize {
        self.precision.unwrap_or(6)
    }

    fn cut(&self, text: &str) -> String {
        match self.precision {
            Some(count) => text.chars().take(count).collect(),
            None => text.to_owned(),
        }
    }

    fn number(&self, number: i64, radix: u32, upper: bool) -> String {
        let size = number.unsigned_abs();
        let (digits, prefix) = match radix {
            16 if upper => (format!("{size:X}"), "0X"),
            16 => (format!("{size:x}"), "0x"),
            8 => (format!("{size:o}"), "0"),
            2 => (format!("{size:b}"), "0b"),
            _ => (size.to_string(), ""),
        };
        let digits = format!("{digits:0>width$}", width = self.precision.unwrap_or_default());
        let sign = if number < 0 { "-" } else { "" };
        self.signed(format!("{sign}{}{digits}", if self.sharp { prefix } else { "" }))
    }

    /// A number with its sign, to its width.
    fn signed(&self, number: String) -> String {
        let (sign, digits) = match number.strip_prefix('-') {
            Some(digits) => ("-", digits.to_owned()),
            None if self.plus => ("+", number),
            None if self.blank => (" ", number),
            None => ("", number),
        };
        self.padded(&digits, sign)
    }

    fn padded(&self, text: &str, sign: &str) -> String {
        let missing = self.width.unwrap_or_default().saturating_sub(text.chars().count() + sign.len());
        if self.left {
            format!("{sign}{text}{}", " ".repeat(missing))
        } else if self.zero {
            format!("{sign}{}{text}", "0".repeat(missing))
        } else {
            format!("{}{sign}{text}", " ".repeat(missing))
        }
    }
}
