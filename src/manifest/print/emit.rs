//! A model as YAML text, in the form that Docker Compose prints.
//!
//! Whoever reads it may follow YAML 1.1 or 1.2, so every text that one of them takes for something else is quoted, as a
//! value and as a key: `yes`, `12:30`, `1_000`, `2020-01-01`. A text in double quotes is written as in JSON, which
//! both read alike.

use serde_json::{Map, Value};

use crate::manifest::read::yaml::resolve;

/// The text of a model.
pub fn yaml(model: &Value) -> String {
    let mut out = String::new();
    match model {
        Value::Object(map) if !map.is_empty() => mapping(map, 0, &mut out),
        Value::Array(list) if !list.is_empty() => sequence(list, 0, &mut out),
        scalar => inline(scalar, 1, &mut out),
    }
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Entries of a mapping; the first one goes on in the line that is begun.
fn mapping(map: &Map<String, Value>, depth: usize, out: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            indent(depth, out);
        }
        text(key, out);
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                indent(depth + 1, out);
                mapping(map, depth + 1, out);
            }
            Value::Array(list) if !list.is_empty() => {
                out.push('\n');
                indent(depth + 1, out);
                sequence(list, depth + 1, out);
            }
            scalar => {
                out.push(' ');
                inline(scalar, depth + 1, out);
            }
        }
    }
}

fn sequence(list: &[Value], depth: usize, out: &mut String) {
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            indent(depth, out);
        }
        out.push_str("- ");
        match value {
            Value::Object(map) if !map.is_empty() => mapping(map, depth + 1, out),
            Value::Array(list) if !list.is_empty() => sequence(list, depth + 1, out),
            scalar => inline(scalar, depth + 1, out),
        }
    }
}

/// What stands in the line of its key, and the end of that line.
fn inline(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
        Value::String(value) if is_block(value) => return block(value, depth, out),
        Value::String(value) => text(value, out),
    }
    out.push('\n');
}

/// A number with an exponent is one for YAML 1.1 only with a point and a sign.
fn number_text(number: &serde_json::Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['-', '+']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Text of several lines that a block shows as it is.
fn is_block(text: &str) -> bool {
    let printable = |c: char| c == '\n' || c == '\t' || !c.is_control() && !is_special(c);
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.lines().any(|line| line.starts_with('\t') || line.ends_with([' ', '\t']))
        && text.chars().all(printable)
}

fn block(text: &str, depth: usize, out: &mut String) {
    let ends = text.len() - text.trim_end_matches('\n').len();
    out.push_str(match ends {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    for line in text.lines() {
        if !line.is_empty() {
            indent(depth, out);
        }
        out.push_str(line);
        out.push('\n');
    }
}

/// Characters that are line breaks or nothing to some readers.
fn is_special(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A text in one line, in quotes where it needs them.
fn text(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() || is_special(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a text stands for itself without quotes, to every reader.
fn is_plain(text: &str) -> bool {
    let first =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '$' | '(' | '^' | '+' | ';' | '~' | '\\');
    let flag = |text: &str| text.trim_start_matches('-').starts_with(char::is_alphanumeric);
    (text.starts_with(first) || text.starts_with('-') && flag(text) && !text.starts_with("---"))
        && !text.starts_with("...")
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.chars().any(|c| c.is_control() || is_special(c))
        && !is_ambiguous(text)
}

/// Whether some reader takes a plain text for something else: null, a boolean, a number, a date, a time of day.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 12] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", ".inf", ".nan"];
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if WORDS.iter().any(|word| unsigned.eq_ignore_ascii_case(word))
        || !matches!(resolve(text), crate::manifest::read::yaml::Value::Str(_))
    {
        return true;
    }
    // Octal, hexadecimal, binary, with underscores, to the base of sixty, with an exponent, dates and times: all begin
    // with a digit or a point and have only these characters.
    let begins = unsigned.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit()) || unsigned == ".";
    let number = |c: char| c.is_ascii_hexdigit() || matches!(c, 'x' | 'X' | 'o' | 'O' | '_' | '.' | ':' | '+' | '-');
    let time = |c: char| matches!(c, 'T' | 't' | 'Z' | 'z' | ' ');
    begins && text.matches('.').count() < 2 && text.chars().all(|c| number(c) || time(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Whether YAML text says what a model says.
    fn reads_back(model: &Value) -> bool {
        let (documents, problems) =
            crate::manifest::read::yaml::parse(&yaml(model), crate::manifest::read::yaml::FileId::default());
        let read = documents.first().map_or(Value::Null, crate::manifest::lower::json);
        problems.is_empty() && same(&read, model)
    }

    /// Equality in which a number is what it is worth.
    fn same(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (Value::Object(a), Value::Object(b)) => {
                a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
            }
            _ => a == b,
        }
    }

    #[test]
    fn a_model_is_written_as_compose_writes_it() {
        let model = json!({
            "name": "x",
            "services": {"a": {
                "command": ["sh", "-c", "echo a\necho b\n"],
                "environment": {"A": "", "B": "yes", "C": "a: b", "D": "#c", "E": "it's"},
                "cpus": 0.5,
                "ports": [{"mode": "ingress", "target": 80}, {"mode": "host"}],
                "list": [[1, [2]], [], {}],
                "nothing": null,
            }},
        });
        let expected = "\
name: x
services:
  a:
    command:
      - sh
      - -c
      - |
        echo a
        echo b
    environment:
      A: \"\"
      B: \"yes\"
      C: \"a: b\"
      D: \"#c\"
      E: it's
    cpus: 0.5
    ports:
      - mode: ingress
        target: 80
      - mode: host
    list:
      - - 1
        - - 2
      - []
      - {}
    nothing: null
";
        assert_eq!(yaml(&model), expected);
        assert!(reads_back(&model));
    }

    #[test]
    fn what_a_reader_takes_for_something_else_is_quoted() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "true",
            "Null",
            "~",
            "",
            "1_000",
            "2020-01-01",
            "0x_1",
            "12:30",
            "1:2:3.5",
            "0b1_0",
            "010",
            "0o7",
            "1e3",
            "1.5",
            ".5",
            "5.",
            "-1",
            "+.inf",
            ".NaN",
            "2001-12-14t21:59:43.10-05:00",
            "2001-12-14 21:59:43.10 -5",
            "=",
            "<<",
            "-",
            "- a",
            "a: b",
            "a:",
            "a #b",
            " a",
            "a ",
            "#a",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "'a",
            "\"a",
            ",a",
            "?",
            "? a",
            "a\u{85}b",
            "a\tb",
            "a\u{7}",
            "190:20:30",
            "---",
            "--- a",
            "...",
            "-1",
            "-.5",
            "1__0",
            "._1",
            "0.1_0",
            "685_230.15",
            "+12",
            ".",
            "0777",
            "0_",
        ] {
            let written = yaml(&json!({ text: text }));
            assert!(written.starts_with('"') && written.ends_with("\"\n"), "{written}");
            assert!(reads_back(&json!({ text: [text] })), "{written}");
        }
        for text in [
            "a",
            "a b",
            "127.0.0.1",
            "1m30s",
            "./a",
            "/a:/b:ro",
            "nginx:1.25",
            "$$A",
            "a=b",
            "10GB",
            "a,b",
            "x[0]",
            "1.2.3-rc",
            "-c",
            "--flag=x",
        ] {
            assert_eq!(yaml(&json!({ text: text })), format!("{text}: {text}\n"));
        }
    }

    #[test]
    fn numbers_are_numbers_to_both() {
        for (number, text) in
            [(json!(1e20), "1.0e+20"), (json!(1.5e-9), "1.5e-9"), (json!(3), "3"), (json!(-0.25), "-0.25")]
        {
            assert_eq!(yaml(&number), format!("{text}\n"));
        }
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in "([ \t\n#:\\-'\"|>a-c0-9_.\u{85}\u{2028}é]|yes){0,12}") {
            prop_assert!(reads_back(&json!({ &text: [&text, { "k": &text }] })), "{}", yaml(&json!({ &text: [&text] })));
        }
    }
}
