//! Where in a Dockerfile a step of a build is, by the step's name (`[2/4] RUN make`).

use crate::inputs::dockerfile::parse;
use crate::model::Place;

/// The instruction that a builder's step is; `None` where that is not certain.
pub fn place_of(dockerfile: &str, step: &str) -> Option<Place> {
    let (_, instruction) = step.strip_prefix('[')?.split_once("] ")?;
    let wanted = words(instruction);
    let parsed = parse(dockerfile).ok()?;
    let all = parsed.stages.iter().flat_map(|stage| &stage.instructions);
    let mut found = all.filter(|instruction| words(&instruction.text) == wanted);
    // The same instruction in two stages may be either of them.
    let place = found.next()?.place;
    found.next().is_none().then_some(place)
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
            ("[2/4] RUN make", None),
            ("[2/4] RUN other", None),
            ("exporting to image", None),
        ] {
            assert_eq!(place_of(text, step).map(|place| place.line), line, "{step}");
        }
        assert_eq!(place_of("no dockerfile", "[1/2] RUN x"), None);
    }
}
