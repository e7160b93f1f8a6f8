//! Instructions as written to instructions as meant.

use super::lines::{self, Line};
use super::words::{self, Flag};
use super::{Copy, Dockerfile, Instruction, Kind, Stage};
use crate::inputs::error::{DockerfileError, similar};
use crate::model::Place;

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Parses a Dockerfile.
pub fn parse(text: &str) -> Result<Dockerfile, DockerfileError> {
    let (directives, lines) = lines::split(text)?;
    let escape = directives.escape;
    let mut dockerfile = Dockerfile { directives, ..Dockerfile::default() };
    for line in lines {
        let place = line.place;
        let (keyword, rest) = keyword(&line)?;
        if keyword == "FROM" {
            dockerfile.stages.push(from(&line, rest, escape)?);
            continue;
        }
        let instruction = instruction(keyword, rest, &line, escape)?;
        match dockerfile.stages.last_mut() {
            Some(stage) => stage.instructions.push(instruction),
            None if keyword == "ARG" => dockerfile.globals.push(instruction),
            None => {
                return Err(DockerfileError::new(place, format!("{keyword} stands before the first FROM"))
                    .hint("start with FROM; only ARG may stand before it"));
            }
        }
    }
    if dockerfile.stages.is_empty() {
        return Err(DockerfileError::new(Place { line: 1, column: 1 }, "there is no FROM, so nothing to build")
            .hint("start with FROM and the image to build on, or FROM scratch"));
    }
    Ok(dockerfile)
}

/// Parses the instruction that an image's `ONBUILD` runs in the stage that starts from it.
pub fn parse_trigger(text: &str, escape: char, place: Place) -> Result<Instruction, DockerfileError> {
    let (_, lines) = lines::split(text)?;
    let [line] = lines.as_slice() else {
        return Err(DockerfileError::new(place, "an ONBUILD trigger must be one instruction"));
    };
    let line = Line { place, ..line.clone() };
    let (keyword, rest) = keyword(&line)?;
    if matches!(keyword, "ONBUILD" | "FROM" | "MAINTAINER") {
        return Err(DockerfileError::new(place, format!("{keyword} is not allowed as an ONBUILD trigger")));
    }
    instruction(keyword, rest, &line, escape)
}

fn keyword(line: &Line) -> Result<(&'static str, &str), DockerfileError> {
    let text = line.text.trim_start();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let upper = word.to_uppercase();
    if let Some(keyword) = KEYWORDS.iter().find(|k| **k == upper) {
        return Ok((keyword, rest.trim()));
    }
    let hint = similar(&upper, KEYWORDS).map(|name| format!("did you mean {name}?"));
    Err(DockerfileError::new(line.place, format!("unknown instruction {word}")).maybe_hint(hint))
}

fn from(line: &Line, rest: &str, escape: char) -> Result<Stage, DockerfileError> {
    let (flags, rest) = words::flags(rest, escape);
    let args: Vec<&str> = rest.split_whitespace().collect();
    let (base, name) = match args.as_slice() {
        [base] => (base, None),
        [base, word, name] if word.eq_ignore_ascii_case("as") => (base, Some(name.to_lowercase())),
        _ => {
            let message = "FROM takes one argument, or three: FROM image AS name";
            return Err(DockerfileError::new(line.place, message));
        }
    };
    if let Some(name) = &name {
        let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.'));
        if !valid {
            let message = format!("{name:?} is no name for a stage");
            return Err(DockerfileError::new(line.place, message)
                .hint("a name starts with a letter and holds letters, digits, `-`, `_` and `.`"));
        }
    }
    let platform = flags.into_iter().find(|flag| flag.name == "platform").and_then(|flag| flag.value);
    Ok(Stage {
        place: line.place,
        text: line.text.trim().to_owned(),
        name,
        base: (*base).to_owned(),
        platform: platform.filter(|p| !p.is_empty()),
        instructions: Vec::new(),
    })
}

fn instruction(keyword: &str, rest: &str, line: &Line, escape: char) -> Result<Instruction, DockerfileError> {
    let error = |message: String| DockerfileError::new(line.place, format!("{keyword} {message}"));
    let kind = match keyword {
        "ARG" => {
            let names = words::quoted(rest, escape);
            if names.is_empty() {
                return Err(error("needs a name".to_owned()));
            }
            let mut args = Vec::new();
            for word in names {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (word.as_str(), None),
                };
                if name.is_empty() {
                    return Err(error(format!("has a value without a name in {word:?}")));
                }
                args.push((name.to_owned(), value));
            }
            Kind::Arg(args)
        }
        "ENV" => Kind::Env(words::pairs(rest, escape).map_err(error)?),
        "COPY" | "ADD" => Kind::Copy(Box::new(copy(keyword == "ADD", rest, line, escape)?)),
        "RUN" => {
            let (flags, _) = words::flags(rest, escape);
            Kind::Run(flags.into_iter().filter(|f| f.name == "mount").filter_map(|f| f.value).collect())
        }
        "WORKDIR" => {
            if rest.is_empty() {
                return Err(error("needs a folder".to_owned()));
            }
            Kind::Workdir(rest.to_owned())
        }
        "ONBUILD" => {
            if rest.is_empty() {
                return Err(error("needs an instruction".to_owned()));
            }
            let mut trigger = rest.to_owned();
            for heredoc in &line.heredocs {
                trigger.push('\n');
                trigger.push_str(&heredoc.content);
                trigger.push_str(&heredoc.name);
            }
            parse_trigger(&trigger, escape, line.place)?;
            Kind::OnBuild(trigger)
        }
        _ => Kind::Other,
    };
    Ok(Instruction { place: line.place, text: line.text.trim().to_owned(), heredocs: line.heredocs.clone(), kind })
}

fn copy(add: bool, rest: &str, line: &Line, escape: char) -> Result<Copy, DockerfileError> {
    let keyword = if add { "ADD" } else { "COPY" };
    let (flags, rest) = words::flags(rest, escape);
    let mut copy = Copy { add, ..Copy::default() };
    for Flag { name, value } in flags {
        let on = value.as_deref().is_none_or(|v| v.eq_ignore_ascii_case("true") || v == "1");
        let text = value.clone().unwrap_or_default();
        match name.as_str() {
            "from" if !add => copy.from = Some(text).filter(|t| !t.is_empty()),
            "chown" => copy.chown = Some(text).filter(|t| !t.is_empty()),
            "chmod" => copy.chmod = Some(text).filter(|t| !t.is_empty()),
            "link" => copy.link = on,
            "parents" if !add => copy.parents = on,
            "exclude" => copy.exclude.push(text),
            "checksum" if add => copy.checksum = Some(text).filter(|t| !t.is_empty()),
            "unpack" if add => copy.unpack = Some(on),
            "keep-git-dir" if add => {}
            _ => copy.unknown_flag = Some(name),
        }
    }
    let mut args = words::list(rest);
    let (Some(dest), true) = (args.pop(), !args.is_empty()) else {
        return Err(DockerfileError::new(line.place, format!("{keyword} needs a source and a destination"))
            .hint(format!("{keyword} source … destination")));
    };
    copy.dest = dest;
    for source in args {
        match lines::heredoc(&source) {
            Some(document) => copy.documents.push(document.name),
            None => copy.sources.push(source),
        }
    }
    Ok(copy)
}
