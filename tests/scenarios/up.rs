//! `up`: only what differs is touched, and the reason is said.

use crate::lab::{idle, lab};

#[test]
fn a_second_up_does_nothing_and_says_so() {
    let lab = lab!();
    let manifest = format!("services:\n{}{}", idle("a"), idle("b"));
    lab.manifest(&manifest);
    lab.ok(&["up", "-d"]).says(&["create container", "it has no container", "ready: 2 services"]);
    let before = lab.containers();
    assert_eq!(lab.states(), ["a running", "b running"]);
    lab.ok(&["up", "-d"]).says(&["nothing to do: a and b are as they should be"]).silent_about(&["create container"]);
    let ids = |all: &[crate::lab::Container]| all.iter().map(|c| c.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&lab.containers()));
}
