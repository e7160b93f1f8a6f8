//! Capabilities as the engine is told of them: with `CAP_`, each once, and where a container gets one and loses it, it
//! gets it. As Docker's own commands do.

use std::collections::BTreeSet;

/// All of them.
const ALL: &str = "ALL";
/// Those of the engine's default again.
const RESET: &str = "RESET";

/// What a container gets and what it loses, in order.
pub(super) fn capabilities(add: &[String], drop: &[String]) -> (Vec<String>, Vec<String>) {
    let (added, dropped) = (set(add), set(drop));
    let drop = dropped.difference(&added).cloned().collect();
    (added.into_iter().collect(), drop)
}

fn set(names: &[String]) -> BTreeSet<String> {
    let names: BTreeSet<String> = names.iter().map(|name| normal(name)).collect();
    // It is more than any other.
    if names.contains(ALL) { BTreeSet::from([ALL.to_owned()]) } else { names }
}

fn normal(name: &str) -> String {
    let name = name.trim().to_ascii_uppercase();
    if name == ALL || name == RESET || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dockers_own_commands_have_them() {
        let list = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let cases = [
            ("net_admin CAP_SYS_TIME NET_ADMIN", "", "CAP_NET_ADMIN CAP_SYS_TIME", ""),
            ("all SYS_TIME", "chown", "ALL", "CAP_CHOWN"),
            ("NET_RAW", "ALL", "CAP_NET_RAW", "ALL"),
            ("CHOWN", "cap_chown KILL", "CAP_CHOWN", "CAP_KILL"),
            ("", "", "", ""),
        ];
        for (add, drop, want_add, want_drop) in cases {
            assert_eq!(capabilities(&list(add), &list(drop)), (list(want_add), list(want_drop)), "{add} / {drop}");
        }
    }
}
