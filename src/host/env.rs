//! The environment as it was when hob started.

use std::collections::BTreeMap;

/// Environment variables by name.
pub type Environment = BTreeMap<String, String>;

/// Takes a copy of the process's environment. What is not Unicode is carried over with replacement characters in
/// place of the bytes that are not: a manifest cannot name them anyway, and one odd variable of somebody's shell must
/// not keep hob from starting.
#[must_use]
pub fn snapshot() -> Environment {
    lossy(std::env::vars_os())
}

fn lossy(variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>) -> Environment {
    variables.map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn what_is_not_unicode_does_no_harm() {
        let variables = [("GOOD".into(), "ü".into()), ("ODD".into(), OsString::from_vec(b"a\xffb".to_vec()))];
        let expected = [("GOOD".to_owned(), "ü".to_owned()), ("ODD".to_owned(), "a\u{fffd}b".to_owned())];
        assert_eq!(lossy(variables.into_iter()), expected.into());
    }

    #[test]
    fn the_process_has_an_environment() {
        assert!(snapshot().contains_key("PATH"));
    }
}
