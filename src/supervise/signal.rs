//! Names of signals as manifests and images write them.

/// Signals of Linux by number, from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// The number that a signal has in a Linux container: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`. Containers are Linux
/// whatever the host is, so this is not the host's own table.
pub fn linux_signal(text: &str) -> Option<u8> {
    if let Ok(number) = text.parse::<u8>() {
        return (1..=RTMAX).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(index) = NAMES.iter().position(|known| *known == name) {
        return u8::try_from(index + 1).ok();
    }
    let number = match name {
        "IOT" => 6,
        "CLD" => 17,
        "POLL" => 29,
        "RTMIN" => RTMIN,
        "RTMAX" => RTMAX,
        _ => match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
            (Some(offset), _) => RTMIN.checked_add(offset.parse().ok()?)?,
            (_, Some(offset)) => RTMAX.checked_sub(offset.parse().ok()?)?,
            _ => return None,
        },
    };
    (name.len() < 4 || !name.starts_with("RT") || (RTMIN..=RTMAX).contains(&number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::linux_signal;

    #[test]
    fn signals_are_read_as_the_engine_reads_them() {
        for (text, number) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("SigHup", Some(1)),
            ("9", Some(9)),
            ("WINCH", Some(28)),
            ("SIGRTMIN", Some(34)),
            ("SIGRTMIN+3", Some(37)),
            ("RTMAX-1", Some(63)),
            ("SIGSYS", Some(31)),
            ("RTMIN+31", None),
            ("RTMAX-31", None),
            ("0", None),
            ("65", None),
            ("SIG", None),
            ("", None),
            ("KILLED", None),
        ] {
            assert_eq!(linux_signal(text), number, "{text}");
        }
    }
}
