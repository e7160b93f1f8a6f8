//! What may have been meant by a misspelt name.

/// The known name that is closest to a misspelt one, if any is close enough.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let most = match name.chars().count() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            // `healthchek`, and also `ports_` or `env` for `environment`.
            let distance = if distance > most && candidate.len() > 3 && lower.len() > 2 && candidate.starts_with(&lower)
            {
                most
            } else {
                distance
            };
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_close() {
        let known = ["environment", "env_file", "healthcheck", "ports", "image"];
        for (name, found) in [
            ("healthchek", Some("healthcheck")),
            ("enviroment", Some("environment")),
            ("port", Some("ports")),
            ("env", Some("environment")),
            ("xyzzy", None),
            ("Image", Some("image")),
        ] {
            assert_eq!(closest(name, known), found, "{name}");
        }
    }
}
