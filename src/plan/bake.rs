//! The builds of a project as a file for `docker buildx bake`, as Docker Compose prints it.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::labels;
use crate::model::{Build, Project, Service, ServiceName, clean_path};

/// A bake file.
#[derive(Clone, Debug, Serialize)]
pub struct Bake {
    group: BTreeMap<&'static str, Group>,
    target: BTreeMap<String, Target>,
}

#[derive(Clone, Debug, Serialize)]
struct Group {
    targets: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Target {
    context: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    contexts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dockerfile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dockerfile_inline: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    args: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_to: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ssh: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    platforms: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    pull: bool,
    #[serde(skip_serializing_if = "is_false")]
    no_cache: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shm_size: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ulimits: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entitlements: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra_hosts: BTreeMap<String, String>,
    output: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attest: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The builds of the chosen services, and of those whose images they take as a context. `None` where none of them is
/// built. `environment` has the values of arguments that the manifest names without one.
pub fn bake(project: &Project, chosen: &[ServiceName], environment: &BTreeMap<String, String>) -> Option<Bake> {
    let mut targets = BTreeMap::new();
    let mut open: Vec<&ServiceName> = chosen.iter().collect();
    while let Some(name) = open.pop() {
        let Some((service, build)) = project.services.get(name).and_then(|s| Some((s, s.build.as_ref()?))) else {
            continue;
        };
        if targets.contains_key(name.as_str()) {
            continue;
        }
        targets.insert(name.to_string(), target(project, service, build, environment));
        let others = build.additional_contexts.values().filter_map(|context| context.strip_prefix("service:"));
        open.extend(others.filter_map(|other| project.services.get_key_value(other).map(|(name, _)| name)));
    }
    let group = BTreeMap::from([("default", Group { targets: targets.keys().cloned().collect() })]);
    (!targets.is_empty()).then_some(Bake { group, target: targets })
}

fn target(project: &Project, service: &Service, build: &Build, environment: &BTreeMap<String, String>) -> Target {
    let image = project.image_name(service);
    let mut tags = build.tags.clone();
    if !tags.contains(&image) {
        tags.push(image);
    }
    let mut labels: BTreeMap<String, String> = build.labels.clone().into_iter().collect();
    labels.insert(labels::PROJECT.to_owned(), project.name.to_string());
    labels.insert(labels::SERVICE.to_owned(), service.name.to_string());
    let mut entitlements = build.entitlements.clone();
    if build.privileged && !entitlements.iter().any(|one| one == "security.insecure") {
        entitlements.push("security.insecure".to_owned());
    }
    let platforms = match (&service.platform, build.platforms.is_empty()) {
        (Some(platform), true) => vec![platform.clone()],
        _ => build.platforms.clone(),
    };
    let inline = build.dockerfile_inline.clone().filter(|text| !text.is_empty());
    let value = |(name, value): (&String, &Option<String>)| {
        Some((literal(name), literal(value.as_ref().or_else(|| environment.get(name))?)))
    };
    Target {
        context: literal(build.context.as_deref().unwrap_or_default()),
        contexts: build.additional_contexts.iter().map(|(name, from)| (name.clone(), context(from))).collect(),
        dockerfile: inline.is_none().then(|| literal(&dockerfile(build))),
        dockerfile_inline: inline.as_deref().map(literal),
        args: build.args.iter().filter_map(value).collect(),
        labels: labels.iter().map(|(name, value)| (literal(name), literal(value))).collect(),
        tags,
        cache_from: build.cache_from.clone(),
        cache_to: build.cache_to.clone(),
        target: build.target.as_deref().filter(|target| !target.is_empty()).map(literal),
        secret: secrets(project, build),
        ssh: build.ssh.iter().map(|one| if one.contains('=') { one.clone() } else { format!("{one}=") }).collect(),
        pull: build.pull,
        no_cache: build.no_cache,
        network: build.network.clone(),
        shm_size: build.shm_size.map(|size| size.0.to_string()),
        ulimits: ulimits(build),
        entitlements,
        extra_hosts: extra_hosts(build),
        // An image for several platforms is none that the engine's older store takes.
        output: vec![if platforms.len() > 1 { "type=image,push=false" } else { "type=docker" }.to_owned()],
        platforms,
        attest: attestations(build),
    }
}

/// A context of another name; a service's is the target of that name.
fn context(from: &str) -> String {
    from.strip_prefix("service:").map_or_else(|| literal(from), |service| format!("target:{service}"))
}

/// Bake takes every text for a template, where `${` and `%{` begin something. Compose sees to `${` in arguments and
/// inline Dockerfiles only, and bake refuses the rest.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// Bake looks for a Dockerfile from where it is started, not from the context; in a repository it is a path there.
fn dockerfile(build: &Build) -> String {
    let written = build.dockerfile.as_deref().filter(|text| !text.is_empty()).unwrap_or("Dockerfile");
    match build.context.as_deref() {
        Some(folder) if folder.starts_with('/') && !written.starts_with('/') => {
            clean_path(&format!("{folder}/{written}"))
        }
        _ => written.to_owned(),
    }
}

fn secrets(project: &Project, build: &Build) -> Vec<String> {
    let entry = |used: &crate::model::FileReference| {
        let key = used.source.as_ref()?;
        let id = used.target.as_ref().unwrap_or(key);
        let secret = project.secrets.get(key)?;
        match (&secret.file, &secret.environment) {
            (Some(file), _) => Some(format!("id={id},type=file,src={}", literal(file))),
            (None, Some(name)) => Some(format!("id={id},type=env,env={name}")),
            (None, None) => None,
        }
    };
    build.secrets.iter().filter_map(entry).collect()
}

fn ulimits(build: &Build) -> Vec<String> {
    let entry = |(name, limit): (&String, &crate::model::Ulimit)| {
        if limit.single { format!("{name}={}", limit.soft) } else { format!("{name}={}:{}", limit.soft, limit.hard) }
    };
    build.ulimits.iter().map(entry).collect()
}

/// One text for each host, with all its addresses.
fn extra_hosts(build: &Build) -> BTreeMap<String, String> {
    let mut hosts: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (host, address) in build.extra_hosts.iter().filter_map(|entry| entry.split_once('=')) {
        hosts.entry(host).or_default().push(address);
    }
    hosts.into_iter().map(|(host, addresses)| (host.to_owned(), addresses.join(","))).collect()
}

fn attestations(build: &Build) -> Vec<String> {
    let entry = |(kind, asked): (&str, &Option<String>)| match asked.as_deref() {
        None | Some("" | "false") => None,
        Some("true") => Some(format!("type={kind}")),
        Some(options) => Some(format!("type={kind},{options}")),
    };
    [("provenance", &build.provenance), ("sbom", &build.sbom)].into_iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn project() -> Project {
        let mut project: Project = serde_json::from_value(json!({
            "name": "shop",
            "services": {
                "api": {"build": {"context": "/p/api"}},
                "web": {
                    "image": "web:1",
                    "build": {
                        "context": "/p",
                        "dockerfile": "docker/../Dockerfile.web",
                        "target": "dev",
                        "args": {"A": "b", "FROM_SHELL": null, "UNSET": null},
                        "labels": {"x": "y"},
                        "tags": ["web:2"],
                        "cache_from": ["a/b"],
                        "cache_to": ["type=inline"],
                        "no_cache": true,
                        "pull": true,
                        "network": "host",
                        "shm_size": "1m",
                        "ulimits": {"nofile": 10, "nproc": {"soft": 1, "hard": 2}},
                        "extra_hosts": ["a=1.2.3.4", "b=::1", "a=1.1.1.1"],
                        "privileged": true,
                        "provenance": "mode=max",
                        "sbom": "true",
                        "ssh": ["default", "git=/p/agent"],
                        "secrets": [{"source": "key"}, {"source": "env", "target": "token"}],
                        "additional_contexts": {"lib": "/p/lib", "other": "service:api"},
                    },
                },
                "remote": {
                    "platform": "linux/arm64",
                    "build": {"context": "https://example.com/a.git", "provenance": "false"},
                },
                "inline": {
                    "build": {
                        "context": "/p",
                        "dockerfile_inline": "FROM x\n",
                        "platforms": ["linux/amd64", "linux/arm64"],
                    },
                },
                "db": {"image": "db"},
            },
            "secrets": {"key": {"file": "/p/key"}, "env": {"environment": "TOKEN"}},
        }))
        .unwrap();
        for (name, service) in &mut project.services {
            service.name = name.clone();
        }
        project
    }

    fn printed(services: &[&str]) -> Value {
        let environment = BTreeMap::from([("FROM_SHELL".to_owned(), "c".to_owned())]);
        let chosen: Vec<ServiceName> = services.iter().map(|name| ServiceName::new(*name)).collect();
        serde_json::to_value(bake(&project(), &chosen, &environment)).unwrap()
    }

    #[test]
    fn texts_are_no_templates() {
        let mut project = project();
        let build = project.services.get_mut("inline").unwrap().build.as_mut().unwrap();
        build.dockerfile_inline = Some("FROM x\nRUN echo $A ${B} %{c}\n".to_owned());
        build.args.insert("A".to_owned(), Some("${b}".to_owned()));
        build.labels.insert("l".to_owned(), "%{m}".to_owned());
        let printed = serde_json::to_value(bake(&project, &["inline".into()], &BTreeMap::new())).unwrap();
        let target = &printed["target"]["inline"];
        assert_eq!(target["dockerfile-inline"], "FROM x\nRUN echo $A $${B} %%{c}\n");
        assert_eq!((&target["args"]["A"], &target["labels"]["l"]), (&json!("$${b}"), &json!("%%{m}")));
    }

    /// Every value is what Docker Compose 2.40 prints for the same project, but for its version in the labels.
    #[test]
    fn what_compose_prints() {
        let labels =
            |service: &str| json!({"com.docker.compose.project": "shop", "com.docker.compose.service": service});
        let api = json!({
            "context": "/p/api",
            "dockerfile": "/p/api/Dockerfile",
            "labels": labels("api"),
            "tags": ["shop-api"],
            "output": ["type=docker"],
        });
        let all = printed(&["web", "remote", "inline", "db"]);
        assert_eq!(all["group"], json!({"default": {"targets": ["api", "inline", "remote", "web"]}}));
        assert_eq!(all["target"]["api"], api, "web takes its image as a context");
        assert_eq!(
            all["target"]["web"],
            json!({
                "context": "/p",
                "contexts": {"lib": "/p/lib", "other": "target:api"},
                "dockerfile": "/p/Dockerfile.web",
                "args": {"A": "b", "FROM_SHELL": "c"},
                "labels": {
                    "com.docker.compose.project": "shop",
                    "com.docker.compose.service": "web",
                    "x": "y",
                },
                "tags": ["web:2", "web:1"],
                "cache-from": ["a/b"],
                "cache-to": ["type=inline"],
                "target": "dev",
                "secret": ["id=key,type=file,src=/p/key", "id=token,type=env,env=TOKEN"],
                "ssh": ["default=", "git=/p/agent"],
                "pull": true,
                "no-cache": true,
                "network": "host",
                "shm-size": "1048576",
                "ulimits": ["nofile=10", "nproc=1:2"],
                "entitlements": ["security.insecure"],
                "extra-hosts": {"a": "1.2.3.4,1.1.1.1", "b": "::1"},
                "output": ["type=docker"],
                "attest": ["type=provenance,mode=max", "type=sbom"],
            })
        );
        assert_eq!(
            all["target"]["remote"],
            json!({
                "context": "https://example.com/a.git",
                "dockerfile": "Dockerfile",
                "labels": labels("remote"),
                "tags": ["shop-remote"],
                "platforms": ["linux/arm64"],
                "output": ["type=docker"],
            })
        );
        assert_eq!(
            all["target"]["inline"],
            json!({
                "context": "/p",
                "dockerfile-inline": "FROM x\n",
                "labels": labels("inline"),
                "tags": ["shop-inline"],
                "platforms": ["linux/amd64", "linux/arm64"],
                "output": ["type=image,push=false"],
            })
        );
        assert_eq!(printed(&["api"])["target"], json!({"api": api}));
        assert_eq!(printed(&["db"]), Value::Null);
    }
}
