//! Which services a command is about.

use crate::model::{Graph, Project, ServiceName};

/// The services that are asked for, and with `no_deps` nothing else, else what they need too; all where none is named.
pub fn scope(project: &Project, asked: &[ServiceName], no_deps: bool) -> Vec<ServiceName> {
    if asked.is_empty() {
        return project.services.keys().cloned().collect();
    }
    if no_deps {
        return asked.to_vec();
    }
    Graph::of(project).closure(asked.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Dependency, Service};

    #[test]
    fn needs_count_unless_told_otherwise() {
        let service = |name: &str, needs: &[&str]| {
            let depends_on = needs.iter().map(|need| ((*need).into(), Dependency::default())).collect();
            (ServiceName::from(name), Service { name: name.into(), depends_on, ..Service::default() })
        };
        let services = [service("web", &["api"]), service("api", &["db"]), service("db", &[]), service("job", &[])];
        let project = Project { services: services.into_iter().collect(), ..Project::default() };
        let scope = |asked: &[&str], no_deps| {
            let asked: Vec<ServiceName> = asked.iter().map(|name| ServiceName::from(*name)).collect();
            scope(&project, &asked, no_deps).into_iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(scope(&["api"], false), ["api", "db"]);
        assert_eq!(scope(&["api"], true), ["api"]);
        assert_eq!(scope(&[], false), ["web", "api", "db", "job"]);
        assert_eq!(scope(&[], true), ["web", "api", "db", "job"], "none named is all");
    }
}
