//! Makes a line from a container or a build safe to show: it may colour itself and nothing else.
//!
//! Invariant: what comes out has no control characters but tabs, and no escape sequences but `ESC [ … m` (SGR), and
//! where it has one of those it ends with a reset. So no line can move the cursor, change the title, write the
//! clipboard, make the terminal answer, or colour the lines that follow it. Without colours it has no escapes at all.
//!
//! A carriage return is read as a terminal would: what follows it overwrites what came before, so of a progress bar
//! the last state is left.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// Ends colours.
pub(super) const RESET: &str = "\u{1b}[0m";

/// The line as it may be shown. `color` lets SGR sequences through.
pub(super) fn sanitize(line: &str, color: bool) -> Cow<'_, str> {
    let line = line.strip_suffix('\n').unwrap_or(line);
    if !is_suspect(line) {
        return Cow::Borrowed(line);
    }
    let mut cleaned = String::with_capacity(line.len());
    // What a carriage return would let the next characters overwrite.
    let mut before_return: Option<String> = None;
    let mut colored = false;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                if let Some(sgr) = escape(&mut chars).filter(|_| color) {
                    colored = true;
                    cleaned.push_str("\u{1b}[");
                    cleaned.push_str(&sgr);
                    cleaned.push('m');
                }
            }
            '\u{9b}' => {
                // The one-character form of `ESC [`. Terminals differ on it, so a colour in this form is dropped.
                control_sequence(&mut chars);
            }
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => string(&mut chars),
            '\r' if visible(&cleaned) => before_return = Some(std::mem::take(&mut cleaned)),
            '\r' => cleaned.clear(),
            '\u{8}' => drop_last(&mut cleaned),
            '\t' => cleaned.push('\t'),
            '\n' => cleaned.push(' '),
            _ if char.is_control() => {}
            _ => cleaned.push(char),
        }
    }
    if let Some(before) = before_return.filter(|_| !visible(&cleaned)) {
        cleaned = before;
    }
    if colored && !cleaned.ends_with(RESET) {
        cleaned.push_str(RESET);
    }
    Cow::Owned(cleaned)
}

/// Text of several lines, each cleaned.
pub(super) fn sanitize_text(text: &str, color: bool) -> Cow<'_, str> {
    if text.split_inclusive('\n').all(|line| !is_suspect(line.strip_suffix('\n').unwrap_or(line))) {
        return Cow::Borrowed(text);
    }
    let mut sanitize_text = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        sanitize_text.push_str(&sanitize(line, color));
        if line.ends_with('\n') {
            sanitize_text.push('\n');
        }
    }
    Cow::Owned(sanitize_text)
}

/// Whether there is anything to clean, found without decoding: most lines have nothing.
fn is_suspect(line: &str) -> bool {
    let bytes = line.as_bytes();
    // C1 controls (U+0080 to U+009F) are `C2 80` to `C2 9F` in UTF-8.
    bytes.iter().any(|&byte| byte < 0x20 && byte != b'\t' || byte == 0x7f)
        || bytes.windows(2).any(|pair| pair[0] == 0xc2 && pair[1] < 0xa0)
}

/// Reads what follows an ESC. Gives the parameters of an SGR sequence, and nothing for any other.
fn escape(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    match chars.peek()? {
        '[' => {
            chars.next();
            control_sequence(chars)
        }
        // Strings: OSC, DCS, SOS, PM, APC.
        ']' | 'P' | 'X' | '^' | '_' => {
            chars.next();
            string(chars);
            None
        }
        // `ESC ( B` and its like: intermediates and a final character.
        ' '..='/' => {
            while chars.next_if(|char| matches!(char, ' '..='/')).is_some() {}
            chars.next_if(|char| matches!(char, '0'..='~'));
            None
        }
        '0'..='~' => {
            chars.next();
            None
        }
        _ => None,
    }
}

/// Reads a control sequence behind its introducer, and gives its parameters if it is SGR. A character that has no
/// place in one ends it, as in terminals, and is left to be read as text.
fn control_sequence(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let mut parameters = String::new();
    while let Some(char) = chars.next_if(|char| matches!(char, ' '..='?')) {
        parameters.push(char);
    }
    let last = chars.next_if(|char| matches!(char, '@'..='~'))?;
    let sgr = last == 'm' && parameters.chars().all(|char| matches!(char, '0'..='9' | ';' | ':'));
    sgr.then_some(parameters)
}

/// Reads a string up to its terminator (`ESC \`, U+009C or BEL) or the end of the line. A terminal would swallow it
/// too, and on to the next lines: for those the line's end is the end.
fn string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(char) = chars.next() {
        match char {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

/// A backspace lets the next character overwrite the last. A colour is never taken apart by it.
fn drop_last(cleaned: &mut String) {
    if cleaned.ends_with(|char| char != 'm') || !ends_with_sgr(cleaned) {
        cleaned.pop();
    }
}

fn ends_with_sgr(cleaned: &str) -> bool {
    cleaned.rfind('\u{1b}').is_some_and(|start| {
        let inside = cleaned[start..].strip_prefix("\u{1b}[").and_then(|rest| rest.strip_suffix('m'));
        inside.is_some_and(|inside| inside.chars().all(|char| matches!(char, '0'..='9' | ';' | ':')))
    })
}

/// Whether anything but colours and blanks is there.
fn visible(cleaned: &str) -> bool {
    let mut chars = cleaned.chars();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => {
                chars.by_ref().find(|&char| char == 'm');
            }
            _ if char.is_whitespace() => {}
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_colours_pass() {
        // (what it is, line, with colours, without)
        let cases = [
            ("plain", "hello", "hello", "hello"),
            ("tab and letters", "a\tb é 日本 🦀", "a\tb é 日本 🦀", "a\tb é 日本 🦀"),
            ("colour", "\x1b[31mred", "\x1b[31mred\x1b[0m", "red"),
            ("colour, closed", "\x1b[1;38;5;9mred\x1b[0m x", "\x1b[1;38;5;9mred\x1b[0m x\x1b[0m", "red x"),
            ("colour with colons", "\x1b[4:3mx", "\x1b[4:3mx\x1b[0m", "x"),
            ("empty reset", "x\x1b[m", "x\x1b[m\x1b[0m", "x"),
            ("cursor up and clear", "\x1b[2A\x1b[2Jgone", "gone", "gone"),
            ("private mode", "\x1b[?1049hx\x1b[?25l", "x", "x"),
            ("xterm modifier that ends in m", "\x1b[>4;2mx", "x", "x"),
            ("intermediate before m", "\x1b[1 mx", "x", "x"),
            ("device status", "\x1b[6nx\x1b[c", "x", "x"),
            ("title, bell", "\x1b]0;evil\x07x", "x", "x"),
            ("title, ST", "\x1b]0;evil\x1b\\x", "x", "x"),
            ("clipboard", "\x1b]52;c;ZXZpbA==\x1b\\x", "x", "x"),
            ("link", "\x1b]8;;http://e\x1b\\text\x1b]8;;\x1b\\", "text", "text"),
            ("title, never ended", "a\x1b]0;evil", "a", "a"),
            ("DCS", "\x1bP$q\"p\x1b\\x", "x", "x"),
            ("APC, PM, SOS", "\x1b_a\x1b\\\x1b^b\x1b\\\x1bXc\x1b\\x", "x", "x"),
            ("reset terminal", "\x1bcx", "x", "x"),
            ("charset", "\x1b(0x\x1b#8", "x", "x"),
            ("C1 CSI", "\u{9b}2Jx\u{9b}31my", "xy", "xy"),
            ("C1 OSC", "\u{9d}0;evil\u{9c}x", "x", "x"),
            ("C1 DCS, APC", "\u{90}q\u{9c}\u{9f}z\u{9c}x", "x", "x"),
            ("C1 others", "a\u{85}b\u{8d}c", "abc", "abc"),
            ("bell, NUL, DEL, shift out", "a\x07b\0c\x7fd\x0ee", "abcde", "abcde"),
            ("lone escape", "a\x1b", "a", "a"),
            ("cut control sequence", "a\x1b[31", "a", "a"),
            ("escape inside a sequence", "\x1b[3\x1b[31mx", "\x1b[31mx\x1b[0m", "x"),
            ("carriage return", "10%\r50%\r100%", "100%", "100%"),
            ("CRLF", "line\r", "line", "line"),
            ("CRLF with \\n", "line\r\n", "line", "line"),
            ("progress that ends blank", "10%\r100%\r   ", "100%", "100%"),
            ("colour across a return", "\x1b[31m1\r2\x1b[32m3", "2\x1b[32m3\x1b[0m", "23"),
            ("backspace", "|\x08/\x08-", "-", "-"),
            ("backspace at a colour", "a\x1b[31m\x08b", "a\x1b[31mb\x1b[0m", "b"),
            ("line feed within", "a\nb", "a b", "a b"),
        ];
        for (what, line, with, without) in cases {
            assert_eq!(sanitize(line, true), with, "{what}, with colours");
            if what != "backspace at a colour" {
                assert_eq!(sanitize(line, false), without, "{what}, without colours");
            }
        }
    }

    #[test]
    fn a_line_with_nothing_to_clean_is_not_copied() {
        assert!(matches!(sanitize("2026-11-24 ok é", true), Cow::Borrowed(_)));
        assert!(matches!(sanitize_text("a\nb\n", true), Cow::Borrowed(_)));
    }

    #[test]
    fn text_keeps_its_lines() {
        assert_eq!(sanitize_text("a\x1b[2J\n\x1b[31mb\nc", true), "a\n\x1b[31mb\x1b[0m\nc");
        assert_eq!(sanitize_text("a\x07\n\n", false), "a\n\n");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_ever_passes(line in r"[\x00-\x7f\u{80}-\u{a1}m\[\x1b;]{0,40}") {
            prop_assert!(sanitize(&line, false).chars().all(|char| char == '\t' || !char.is_control()));
            let shown = sanitize(&line, true);
            let mut rest: &str = &shown;
            let mut last = "";
            while let Some(start) = rest.find('\u{1b}') {
                prop_assert!(rest[..start].chars().all(|char| char == '\t' || !char.is_control()));
                let end = rest[start..].find('m').map(|at| start + at);
                let end = end.ok_or_else(|| TestCaseError::fail(format!("{shown:?}")))?;
                last = &rest[start..=end];
                let inside = last.strip_prefix("\u{1b}[").and_then(|text| text.strip_suffix('m'));
                prop_assert!(inside.is_some_and(|text| text.chars().all(|char| "0123456789;:".contains(char))));
                rest = &rest[end + 1..];
            }
            prop_assert!(rest.chars().all(|char| char == '\t' || !char.is_control()));
            prop_assert!(last.is_empty() || last == RESET && rest.is_empty());
            prop_assert_eq!(sanitize(&shown, true).replace(RESET, ""), shown.replace(RESET, ""), "cleaning is final");
        }
    }
}
