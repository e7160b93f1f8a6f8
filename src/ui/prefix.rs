//! What stands before each line of a log: `api-1  | `, as wide for every container.

use crate::model::ServiceName;

/// Width and names of prefixes.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    width: usize,
}

impl Prefixes {
    /// Services that may speak, so that the first lines already line up with the later ones.
    pub fn expect<'a>(&mut self, services: impl IntoIterator<Item = &'a ServiceName>) {
        for service in services {
            // The number and its dash.
            self.width = self.width.max(console::measure_text_width(service) + 2);
        }
    }

    /// The prefix without its colour.
    pub fn of(&mut self, service: &ServiceName, container: &str, number: u32) -> String {
        let name = short(service, container, number);
        let own = console::measure_text_width(&name);
        self.width = self.width.max(own);
        format!("{name}{:pad$}  | ", "", pad = self.width - own)
    }
}

/// `api-1` for what has the usual name; the name itself for a `container_name` or a host process.
pub(super) fn short(service: &ServiceName, container: &str, number: u32) -> String {
    let usual = format!("{service}-{number}");
    let project = container.strip_suffix(&usual);
    if project.is_some_and(|project| project.is_empty() || project.ends_with('-')) {
        usual
    } else {
        container.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_compose_shows_them() {
        let cases = [
            ("api", "shop-api-1", 1, "api-1"),
            ("api", "shop-api-12", 12, "api-12"),
            ("api", "api-1", 1, "api-1"),
            ("api", "my-own-name", 1, "my-own-name"),
            ("api", "subapi-1", 1, "subapi-1"),
            ("docs", "docs", 1, "docs"),
        ];
        for (service, container, number, want) in cases {
            assert_eq!(short(&service.into(), container, number), want);
        }
    }

    #[test]
    fn prefixes_line_up() {
        let mut prefixes = Prefixes::default();
        assert_eq!(prefixes.of(&"db".into(), "shop-db-1", 1), "db-1  | ");
        prefixes.expect([&"broker".into()]);
        assert_eq!(prefixes.of(&"db".into(), "shop-db-1", 1), "db-1      | ");
        assert_eq!(prefixes.of(&"broker".into(), "shop-broker-1", 1), "broker-1  | ");
    }
}
