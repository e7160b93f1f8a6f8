//! The last command of a shell's text, where there is no doubt about it.

/// Words after which a text is more than a list of commands.
const KEYWORDS: [&str; 14] =
    ["if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "!", "{"];

/// The commands of a text, one after the other (`a && b; c`). `None` where it has anything else in it: pipes, jobs in
/// the background, substitutions, conditions.
pub fn commands(text: &str) -> Option<Vec<Vec<String>>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut chars = text.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => word.push(chars.next()?),
                        '`' => return None,
                        '$' if chars.peek() == Some(&'(') => return None,
                        c => word.push(c),
                    }
                }
            }
            '\\' => match chars.next()? {
                '\n' => {}
                c => word.get_or_insert_default().push(c),
            },
            '#' if word.is_none() => while chars.next_if(|c| *c != '\n').is_some() {},
            '`' | '|' | '(' | ')' => return None,
            '$' if chars.peek() == Some(&'(') => return None,
            // Of `2>&1`.
            '&' if last == '>' => word.get_or_insert_default().push(c),
            '&' if chars.next_if_eq(&'&').is_some() => end(&mut commands, &mut word, true),
            '&' => return None,
            ';' | '\n' => end(&mut commands, &mut word, true),
            c if c.is_whitespace() => end(&mut commands, &mut word, false),
            c => word.get_or_insert_default().push(c),
        }
        last = c;
    }
    end(&mut commands, &mut word, true);
    commands.retain(|command| !command.is_empty());
    let plain = |command: &Vec<String>| command.first().is_some_and(|first| !KEYWORDS.contains(&first.as_str()));
    commands.iter().all(plain).then_some(commands)
}

fn end(commands: &mut Vec<Vec<String>>, word: &mut Option<String>, command: bool) {
    if let (Some(word), Some(last)) = (word.take(), commands.last_mut()) {
        last.push(word);
    }
    if command {
        commands.push(Vec::new());
    }
}
