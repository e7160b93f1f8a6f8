//! The bytes of an engine's stream of events to what it tells of containers. It is pure, and knows nothing of the rest of
//! hob: `fuzz/` takes it in by itself.
//!
//! Invariants: nothing is kept but the line that is not complete yet, and that has a largest length; what cannot be read,
//! or is not about a container, tells nothing and ends nothing.

use std::collections::HashMap;

use serde::Deserialize;

/// The longest event. An event has the labels of a container, which may be long.
pub const LONGEST: usize = 1 << 20;

/// What an engine tells of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The container.
    pub id: String,
    /// What happened, in the engine's word.
    pub action: String,
    /// Its labels, and what belongs to the action.
    pub attributes: HashMap<String, String>,
    /// When it happened, in nanoseconds since the epoch.
    pub time_nano: i64,
}

/// A line that has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Puts events together from whatever pieces a stream comes in.
#[derive(Debug, Default)]
pub struct Tale {
    buffer: Vec<u8>,
    /// Start of what was not given out yet.
    start: usize,
    /// Where the search for the line's end goes on.
    searched: usize,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Type", default)]
    kind: Option<String>,
    #[serde(rename = "Action")]
    action: String,
    #[serde(rename = "Actor")]
    actor: Actor,
    #[serde(rename = "timeNano", default)]
    time_nano: i64,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Attributes", default)]
    attributes: Option<HashMap<String, String>>,
}

impl Tale {
    /// Takes in what was read.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(data);
    }

    /// The next event; `None` until more is read.
    pub fn next_event(&mut self) -> Option<Result<Told, TooLong>> {
        while let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
            let line = &self.buffer[self.start..self.searched + end];
            let told = told(line);
            self.start = self.searched + end + 1;
            self.searched = self.start;
            if told.is_some() {
                return told.map(Ok);
            }
        }
        self.searched = self.buffer.len();
        (self.searched - self.start > LONGEST).then_some(Err(TooLong))
    }
}

fn told(line: &[u8]) -> Option<Told> {
    let event: Event = serde_json::from_slice(line).ok()?;
    if event.kind.is_some_and(|kind| kind != "container") || event.actor.id.is_empty() {
        return None;
    }
    let attributes = event.actor.attributes.unwrap_or_default();
    Some(Told { id: event.actor.id, action: event.action, attributes, time_nano: event.time_nano })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> String {
        format!(
            r#"{{"Type":"container","Action":"die","Actor":{{"ID":"{id}","Attributes":{{"exitCode":"1"}}}},"x":[1]}}"#
        )
    }

    fn ids(pieces: &[&[u8]]) -> Vec<String> {
        let (mut tale, mut ids) = (Tale::default(), Vec::new());
        for piece in pieces {
            tale.push(piece);
            while let Some(told) = tale.next_event() {
                ids.push(told.map_or_else(|_| "too long".to_owned(), |told| told.id));
                if ids.last().is_some_and(|id| id == "too long") {
                    return ids;
                }
            }
        }
        ids
    }

    #[test]
    fn events_come_in_any_pieces_and_what_is_none_is_left_out() {
        let text = [
            event("a"),
            "not json".into(),
            String::new(),
            r#"{"Type":"network","Action":"create","Actor":{"ID":"n"}}"#.into(),
            r#"{"Action":"create","Actor":{"ID":""}}"#.into(),
            r#"{"Action":5,"Actor":null}"#.into(),
            event("b"),
            String::new(),
        ]
        .join("\r\n");
        for size in [1, 2, 7, text.len()] {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(ids(&pieces), ["a", "b"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let piece = vec![b'x'; 64 << 10];
        let mut tale = Tale::default();
        let ended = (0..100).find(|_| {
            tale.push(&piece);
            tale.next_event() == Some(Err(TooLong))
        });
        assert_eq!(ended, Some(LONGEST / piece.len()));
        assert!(tale.buffer.len() <= LONGEST + piece.len());
    }
}
