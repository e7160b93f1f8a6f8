//! Where in a Dockerfile a step of a build is, by the step's name (`[2/4] RUN make`).

use crate::inputs::dockerfile::{Instruction, Stage, parse};
use crate::model::Place;

/// The instruction that a builder's step is; `None` where that is not certain.
pub fn place_of(dockerfile: &str, step: &str) -> Option<Place> {
    let (number, instruction) = step.strip_prefix('[')?.split_once("] ")?;
    let wanted = words(instruction);
    let parsed = parse(dockerfile).ok()?;
    let all = parsed.stages.iter().flat_map(|stage| &stage.instructions);
    let mut found = all.filter(|instruction| words(&instruction.text) == wanted);
    // The same instruction in two stages may be either of them, and builders name a step with its variables' values.
    match (found.next(), found.next()) {
        (Some(only), None) => Some(only.place),
        _ => numbered(&parsed.stages, number, wanted.first()?),
    }
}

/// The instruction that has this number, such as `build 3/4`, if it is of this kind. The number counts what makes layers,
/// and `FROM` is the first.
fn numbered(stages: &[Stage], number: &str, keyword: &str) -> Option<Place> {
    let (name, number) = number.rsplit_once(' ').map_or((None, number), |(name, number)| (Some(name.trim()), number));
    let (number, of) = number.split_once('/')?;
    let (number, of): (usize, usize) = (number.parse().ok()?, of.parse().ok()?);
    let first = |instruction: &Instruction| instruction.text.split_whitespace().next().map(str::to_ascii_uppercase);
    let makes_layer = |instruction: &&Instruction| {
        first(instruction).is_some_and(|word| ["RUN", "COPY", "ADD", "WORKDIR"].contains(&word.as_str()))
    };
    let mut places = stages.iter().enumerate().filter_map(|(at, stage)| {
        let unnamed = format!("stage-{at}");
        if name.is_some_and(|name| name != stage.name.as_deref().unwrap_or(&unnamed)) {
            return None;
        }
        let layers: Vec<&Instruction> = stage.instructions.iter().filter(makes_layer).collect();
        let instruction = layers.get(number.checked_sub(2)?).filter(|_| layers.len() + 1 == of)?;
        (first(instruction)? == keyword.to_ascii_uppercase()).then_some(instruction.place)
    });
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

/// Builders name steps with single blanks between words.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_its_place() {
        let text = "FROM a AS one\nRUN make\nCOPY . /x\nRUN  test \\\n    --all\nFROM b\nRUN make\n";
        for (step, line) in [
            ("[one 4/4] RUN test     --all", Some(4)),
            ("[3/4] COPY . /x", Some(3)),
            ("[2/4] RUN make", Some(2)),
            ("[one 2/4] RUN make", Some(2)),
            ("[stage-1 2/2] RUN make", Some(7)),
            ("[one 4/4] RUN test --all 2", Some(4)),
            ("[2/5] RUN other", None),
            ("[3/4] RUN other", None),
            ("exporting to image", None),
        ] {
            assert_eq!(place_of(text, step).map(|place| place.line), line, "{step}");
        }
        assert_eq!(place_of("no dockerfile", "[1/2] RUN x"), None);
    }
}
