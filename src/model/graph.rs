//! The dependency graph of a project's services.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{Project, ServiceName};

/// Services that wait for each other in a circle, in order; the last waits for the first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dependency cycle: {}", self.path())]
pub struct Cycle(pub Vec<ServiceName>);

impl Cycle {
    /// `a → b → a`.
    pub fn path(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().map(ServiceName::as_str).collect();
        names.extend(self.0.first().map(ServiceName::as_str));
        names.join(" → ")
    }
}

/// Who waits for whom. Edges to services that are not part of the project are left out.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    needs: IndexMap<ServiceName, BTreeSet<ServiceName>>,
}

impl Graph {
    /// The graph of a project's `depends_on`, which by now holds the implicit ones (`links`, `volumes_from`,
    /// `network_mode: service:`) too.
    pub fn of(project: &Project) -> Self {
        let needs = project
            .services
            .iter()
            .map(|(name, service)| {
                let needs = service.depends_on.keys().filter(|d| project.services.contains_key(*d)).cloned().collect();
                (name.clone(), needs)
            })
            .collect();
        Self { needs }
    }

    /// What a service waits for directly.
    pub fn needs(&self, service: &str) -> impl Iterator<Item = &ServiceName> {
        self.needs.get(service).into_iter().flatten()
    }

    /// What waits for a service directly.
    pub fn dependents(&self, service: &str) -> impl Iterator<Item = &ServiceName> {
        self.needs.iter().filter(move |(_, needs)| needs.contains(service)).map(|(name, _)| name)
    }

    /// The given services and all that they need, in the manifest's order.
    pub fn closure(&self, services: impl IntoIterator<Item = ServiceName>) -> Vec<ServiceName> {
        let mut open: Vec<ServiceName> = services.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(service) = open.pop() {
            if self.needs.contains_key(&service) && seen.insert(service.clone()) {
                open.extend(self.needs(&service).cloned());
            }
        }
        self.needs.keys().filter(|name| seen.contains(*name)).cloned().collect()
    }

    /// All services, what is needed first; ties keep the manifest's order.
    ///
    /// # Errors
    /// The first cycle found.
    pub fn order(&self) -> Result<Vec<ServiceName>, Cycle> {
        let mut done = BTreeSet::new();
        let mut order = Vec::with_capacity(self.needs.len());
        for service in self.needs.keys() {
            self.visit(service, &mut Vec::new(), &mut done, &mut order)?;
        }
        Ok(order)
    }

    fn visit(
        &self,
        service: &ServiceName,
        path: &mut Vec<ServiceName>,
        done: &mut BTreeSet<ServiceName>,
        order: &mut Vec<ServiceName>,
    ) -> Result<(), Cycle> {
        if done.contains(service) {
            return Ok(());
        }
        if let Some(start) = path.iter().position(|s| s == service) {
            return Err(Cycle(path[start..].to_vec()));
        }
        path.push(service.clone());
        for need in self.needs(service) {
            self.visit(need, path, done, order)?;
        }
        path.pop();
        done.insert(service.clone());
        order.push(service.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let needs = edges
            .iter()
            .map(|(name, needs)| (ServiceName::from(*name), needs.iter().map(|n| ServiceName::from(*n)).collect()))
            .collect();
        Graph { needs }
    }

    fn names(list: &[ServiceName]) -> Vec<&str> {
        list.iter().map(ServiceName::as_str).collect()
    }

    #[test]
    fn order_puts_what_is_needed_first() {
        let graph = graph(&[("web", &["api"]), ("api", &["db", "cache"]), ("cache", &[]), ("db", &[])]);
        assert_eq!(names(&graph.order().unwrap()), ["cache", "db", "api", "web"]);
        assert_eq!(names(&graph.closure(["api".into()])), ["api", "cache", "db"]);
        assert_eq!(graph.dependents("db").map(ServiceName::as_str).collect::<Vec<_>>(), ["api"]);
    }

    #[test]
    fn a_cycle_is_named_whole() {
        let graph = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(graph.order().unwrap_err().to_string(), "dependency cycle: b → c → b");
    }
}
