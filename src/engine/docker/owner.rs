//! Whose is a container that lives no longer than the hob that made it, and whether that one is gone.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};

use crate::model::Owned;
use crate::model::labels::{LOOK, OWNED, PROJECT};

/// Whose is what is made for a short time.
#[derive(Clone)]
pub struct Owner {
    /// The name of this process.
    pub mark: String,
    /// Whether the process of a name has ended for sure.
    pub is_gone: fn(&str) -> bool,
}

impl Default for Owner {
    /// Nobody: what is left is found by its age alone.
    fn default() -> Self {
        Self { mark: String::new(), is_gone: |_| false }
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({})", self.mark)
    }
}

impl Owner {
    /// The label that says so.
    pub(super) fn label(&self, owned: Owned) -> (String, String) {
        (OWNED.to_owned(), format!("{} {}", owned.word(), self.mark))
    }

    /// Whether a container has lost its owner.
    pub(super) fn has_left(&self, container: &ContainerSummary, project: Option<&str>, now: Duration) -> bool {
        let no_labels = HashMap::new();
        let labels = container.labels.as_ref().unwrap_or(&no_labels);
        let (word, mark) = labels.get(OWNED).and_then(|label| label.split_once(' ')).unwrap_or_default();
        let gone = (self.is_gone)(mark);
        match Owned::parse(word) {
            // The owner may be on another machine, where nobody can ask for it.
            Some(Owned::Moment) => gone || is_old(container, now),
            None => labels.contains_key(LOOK) && is_old(container, now),
            Some(owned) => {
                let ours = labels.get(PROJECT).map(String::as_str) == project && project.is_some();
                let never_ran = container.state == Some(ContainerSummaryStateEnum::CREATED);
                gone && ours && (owned == Owned::Process || never_ran)
            }
        }
    }
}

/// What is there for a moment and still needed is younger.
const OLD: Duration = Duration::from_mins(1);

fn is_old(container: &ContainerSummary, now: Duration) -> bool {
    let created = container.created.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    created.and_then(|created| now.checked_sub(created)).is_some_and(|age| age > OLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(owned: &str, state: ContainerSummaryStateEnum) -> ContainerSummary {
        let labels = [(OWNED, owned), (PROJECT, "shop")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let labels = Some(labels.into_iter().filter(|(_, value)| !value.is_empty()).collect());
        ContainerSummary { labels, state: Some(state), created: Some(1_000), ..Default::default() }
    }

    #[test]
    fn what_has_no_owner_is_left() {
        use ContainerSummaryStateEnum::{CREATED, EXITED, RUNNING};
        let owner = Owner { mark: "me".to_owned(), is_gone: |mark| mark == "dead" };
        let (young, old) = (Duration::from_secs(1_010), Duration::from_secs(1_000) + 2 * OLD);
        for (owned, state, now, left) in [
            ("moment me", CREATED, young, false),
            ("moment dead", CREATED, young, true),
            ("moment far", CREATED, young, false),
            ("moment far", CREATED, old, true),
            ("process me", RUNNING, old, false),
            ("process dead", RUNNING, young, true),
            ("process dead", EXITED, young, true),
            ("process far", RUNNING, old, false),
            ("start dead", CREATED, young, true),
            ("start dead", RUNNING, young, false),
            ("start dead", EXITED, old, false),
            ("start me", CREATED, old, false),
            ("", CREATED, old, false),
        ] {
            assert_eq!(owner.has_left(&container(owned, state), Some("shop"), now), left, "{owned} {state} {now:?}");
        }
        assert!(!owner.has_left(&container("process dead", RUNNING), Some("other"), old), "of another project");
        assert!(!owner.has_left(&container("process dead", RUNNING), None, old));
    }

    #[test]
    fn a_look_that_may_still_go_on_is_left_alone() {
        let labels = HashMap::from([(LOOK.to_owned(), String::new())]);
        let look = ContainerSummary { labels: Some(labels), created: Some(1_000), ..Default::default() };
        let left_at = |seconds| Owner::default().has_left(&look, None, Duration::from_secs(seconds));
        assert!(!left_at(1_000 + OLD.as_secs()) && left_at(1_000 + 2 * OLD.as_secs()));
        assert!(!left_at(900), "the engine's clock is ahead");
    }
}
