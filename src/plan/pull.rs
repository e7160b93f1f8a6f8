//! `pull`.

use super::{Op, Plan, Reason};
use crate::model::{Observed, Project, Service, ServiceName};

/// The services of these whose images are pulled: all that name one which may be; with `ignore_buildable` none that is
/// built.
pub fn pulled<'a>(project: &'a Project, services: &[ServiceName], ignore_buildable: bool) -> Vec<&'a Service> {
    let services = services.iter().filter_map(|name| project.services.get(name));
    let may_be = |service: &&Service| {
        let never = matches!(service.pull_policy.as_deref(), Some("never" | "build"));
        service.image.is_some() && !never && !(ignore_buildable && service.build.is_some())
    };
    services.filter(may_be).collect()
}

/// Plans `pull`: each image once; with `missing` only those that the engine does not have.
pub fn pull(services: &[&Service], observed: &Observed, missing: bool) -> Plan {
    let mut plan = Plan::default();
    for service in services {
        let Some(image) = service.image.clone().filter(|image| !(missing && observed.images.contains_key(image)))
        else {
            continue;
        };
        let op = Op::Pull { image, platform: service.platform.clone() };
        if !plan.steps.iter().any(|step| step.op == op) {
            plan.push(op, Some(&service.name), Reason::Asked("pull"), Vec::new());
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Build, ObservedImage};

    #[test]
    fn each_image_is_pulled_once_where_it_may_be() {
        let service = |name: &str, image: Option<&str>| {
            let image = image.map(str::to_owned);
            (ServiceName::from(name), Service { name: name.into(), image, ..Service::default() })
        };
        let mut services = [
            service("a", Some("x")),
            service("b", Some("x")),
            service("built", Some("y")),
            service("local", Some("z")),
            service("none", None),
            service("arm", Some("x")),
        ];
        services[2].1.build = Some(Build::default());
        services[3].1.pull_policy = Some("never".into());
        services[5].1.platform = Some("linux/arm64".into());
        let project = Project { services: services.into(), ..Project::default() };
        let all: Vec<ServiceName> = project.services.keys().cloned().collect();
        let images = [("x".to_owned(), ObservedImage::default())].into();
        let observed = Observed { images, ..Observed::default() };
        let planned = |ignore_buildable, missing| {
            let plan = pull(&pulled(&project, &all, ignore_buildable), &observed, missing);
            let name = |step: &crate::plan::Step| step.service.as_ref().map(ToString::to_string).unwrap_or_default();
            plan.steps.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(planned(false, false), ["a", "built", "arm"]);
        assert_eq!(planned(true, false), ["a", "arm"]);
        assert_eq!(planned(false, true), ["built"]);
    }
}
