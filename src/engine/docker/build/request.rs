//! A build's spec as BuildKit's `Solve` call takes it. Pure.

use std::collections::HashMap;

use bollard_buildkit_proto::moby::buildkit::v1::{CacheOptions, CacheOptionsEntry, SolveRequest};
use serde_json::{Value, json};

use super::super::errors::unsupported;
use crate::engine::{BuildContext, BuildSpec, EngineError, Result};
use crate::model::Digest;

/// The names under which the Dockerfile frontend asks for its files.
pub(super) const CONTEXT: &str = "context";
pub(super) const DOCKERFILE: &str = "dockerfile";

/// The first API whose engine has a frontend that knows named contexts, `ulimit` and `shm-size`.
const NEWER_FRONTEND: (u32, u32) = (1, 42);

/// The name under which a named context's files are asked for.
pub(super) fn local_name(context: &str) -> String {
    format!("context-{context}")
}

/// What the Dockerfile is called in the folder that is served for it alone.
pub(super) fn dockerfile_name(spec: &BuildSpec) -> String {
    let name = spec.dockerfile.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "Dockerfile".to_owned() } else { name.to_owned() }
}

/// What BuildKit keeps its copy of the context under.
pub(super) fn shared_key(spec: &BuildSpec) -> String {
    Digest::of_json(&(spec.context_key(), &spec.copy)).to_string()
}

/// What this engine's builder leaves out, in words.
pub(super) fn warnings(spec: &BuildSpec, api: (u32, u32)) -> Vec<String> {
    let mut warnings = Vec::new();
    for (asked, key) in [(spec.build.shm_size.is_some(), "shm_size"), (!spec.build.ulimits.is_empty(), "ulimits")] {
        if asked && api < NEWER_FRONTEND {
            warnings.push(unsupported(&format!("build.{key} is ignored: it"), NEWER_FRONTEND, api).message);
        }
    }
    warnings
}

/// The request.
pub(super) fn solve_request(
    spec: &BuildSpec,
    session: &str,
    api: (u32, u32),
    containerd_images: bool,
) -> Result<SolveRequest> {
    let build = &spec.build;
    let mut exporter = HashMap::new();
    if !spec.tags.is_empty() {
        exporter.insert("name".to_owned(), spec.tags.join(","));
    }
    let mut entitlements = build.entitlements.clone();
    if build.network.as_deref() == Some("host") {
        entitlements.push("network.host".to_owned());
    }
    if build.privileged {
        entitlements.push("security.insecure".to_owned());
    }
    entitlements.sort();
    entitlements.dedup();
    Ok(SolveRequest {
        r#ref: session.to_owned(),
        session: session.to_owned(),
        // `moby` puts the image into the engine's own store, whichever kind that is. The older fields, because
        // 20.10 knows only these and newer ones still take them.
        exporter_deprecated: "moby".to_owned(),
        exporter_attrs_deprecated: exporter,
        frontend: "dockerfile.v0".to_owned(),
        frontend_attrs: attributes(spec, api, containerd_images)?,
        cache: Some(CacheOptions {
            exports: cache_exports(&build.cache_to, containerd_images)?,
            imports: cache_entries("cache_from", &build.cache_from)?,
            ..Default::default()
        }),
        entitlements,
        ..Default::default()
    })
}

fn attributes(spec: &BuildSpec, api: (u32, u32), containerd_images: bool) -> Result<HashMap<String, String>> {
    let build = &spec.build;
    let mut attributes = HashMap::new();
    let mut set = |key: &str, value: String| {
        attributes.insert(key.to_owned(), value);
    };
    match &spec.context {
        BuildContext::Files(_) => set("filename", dockerfile_name(spec)),
        BuildContext::Remote(url) => {
            set("context", url.clone());
            if spec.dockerfile_text.is_some() {
                set("filename", dockerfile_name(spec));
                set("dockerfilekey", DOCKERFILE.to_owned());
            } else if !spec.dockerfile.is_empty() {
                set("filename", spec.dockerfile.clone());
            }
        }
    }
    // A base image that the engine has is never asked for at a registry. It has to be named: 20.10 and 28.5 know no
    // base by its id, and one by `name@digest` only on containerd's store (tried on all three without a registry in
    // reach). `default` does the same on these; `local` is what buildx sends to an engine.
    set("image-resolve-mode", if spec.pull || build.pull { "pull" } else { "local" }.to_owned());
    if spec.no_cache || build.no_cache {
        set("no-cache", String::new());
    }
    if let Some(target) = &build.target {
        set("target", target.clone());
    }
    let platforms = match &spec.platform {
        Some(platform) => platform.clone(),
        None => build.platforms.join(","),
    };
    if platforms.contains(',') && !containerd_images {
        return Err(EngineError::build_key(
            "platforms",
            format!("an image for several platforms ({platforms}) needs the engine's containerd image store"),
            "name one platform, or turn that store on in the engine's settings",
        ));
    }
    if !platforms.is_empty() {
        set("platform", platforms);
    }
    for (name, value) in &build.args {
        if let Some(value) = value {
            set(&format!("build-arg:{name}"), value.clone());
        }
    }
    for (name, value) in build.labels.iter().chain(&spec.labels) {
        set(&format!("label:{name}"), value.clone());
    }
    if let Some(network) = build.network.as_ref().filter(|network| *network != "default") {
        set("force-network-mode", network.clone());
    }
    if !build.extra_hosts.is_empty() {
        set("add-hosts", build.extra_hosts.join(","));
    }
    if let Some(size) = build.shm_size {
        set("shm-size", size.0.to_string());
    }
    let ulimits: Vec<_> =
        build.ulimits.iter().map(|(name, limit)| format!("{name}={}:{}", limit.soft, limit.hard)).collect();
    if !ulimits.is_empty() {
        set("ulimit", ulimits.join(","));
    }
    for (key, value) in [("provenance", &build.provenance), ("sbom", &build.sbom)] {
        let Some(value) = value.as_deref().filter(|value| !matches!(*value, "" | "false")) else { continue };
        if !containerd_images {
            return Err(EngineError::build_key(
                key,
                format!("build.{key} needs the engine's containerd image store; this one keeps no attestations"),
                "leave it out, or turn that store on in the engine's settings",
            ));
        }
        set(&format!("attest:{key}"), if value == "true" { String::new() } else { value.to_owned() });
    }
    for (name, source) in named_contexts(spec, api)? {
        attributes.insert(format!("context:{name}"), source);
    }
    Ok(attributes)
}

fn named_contexts(spec: &BuildSpec, api: (u32, u32)) -> Result<Vec<(String, String)>> {
    let mut named = Vec::new();
    for (name, context) in &spec.contexts {
        named.push((
            name.clone(),
            match context {
                BuildContext::Files(_) => format!("local:{}", local_name(name)),
                BuildContext::Remote(url) => url.clone(),
            },
        ));
    }
    for (name, source) in &spec.build.additional_contexts {
        if spec.contexts.contains_key(name) {
            continue;
        }
        if !source.contains("://") {
            return Err(EngineError::build_key(
                format!("additional_contexts.{name}"),
                format!("build.additional_contexts.{name} is {source}, which is neither a URL nor a list of files"),
                "name a folder, or an image as docker-image://NAME",
            ));
        }
        named.push((name.clone(), source.clone()));
    }
    if !named.is_empty() && api < NEWER_FRONTEND {
        return Err(unsupported("build.additional_contexts", NEWER_FRONTEND, api));
    }
    Ok(named)
}

fn cache_exports(entries: &[String], containerd_images: bool) -> Result<Vec<CacheOptionsEntry>> {
    let exports = cache_entries("cache_to", entries)?;
    match exports.iter().position(|entry| entry.r#type != "inline") {
        Some(index) if !containerd_images => Err(EngineError::build_key(
            format!("cache_to.{index}"),
            format!("build.cache_to is \"{}\", which needs the engine's containerd image store", entries[index]),
            "leave it out, as the engine keeps its cache between builds; write type=inline, or turn that store on in \
             the engine's settings",
        )),
        _ => Ok(exports),
    }
}

/// Tells the frontend where caches may be taken from: it is the one who asks for them.
pub(super) fn set_imports(request: &mut SolveRequest) {
    let imports = request.cache.as_ref().map(|cache| cache.imports.as_slice()).unwrap_or_default();
    if !imports.is_empty() {
        let entry = |entry: &CacheOptionsEntry| json!({ "Type": entry.r#type, "Attrs": entry.attrs });
        let imports = Value::Array(imports.iter().map(entry).collect());
        request.frontend_attrs.insert("cache-imports".to_owned(), imports.to_string());
    }
}

fn cache_entries(key: &str, entries: &[String]) -> Result<Vec<CacheOptionsEntry>> {
    entries.iter().enumerate().map(|(index, text)| cache_entry(&format!("{key}.{index}"), text)).collect()
}

/// `type=registry,ref=…`, or a reference alone.
fn cache_entry(key: &str, text: &str) -> Result<CacheOptionsEntry> {
    if !text.contains('=') {
        let attrs = HashMap::from([("ref".to_owned(), text.to_owned())]);
        return Ok(CacheOptionsEntry { r#type: "registry".to_owned(), attrs });
    }
    let mut kind = String::new();
    let mut attrs = HashMap::new();
    for pair in text.split(',') {
        match pair.trim().split_once('=') {
            Some(("type", value)) => value.clone_into(&mut kind),
            Some((name, value)) => drop(attrs.insert(name.to_owned(), value.to_owned())),
            None => {}
        }
    }
    let name = key.split('.').next().unwrap_or(key);
    match kind.as_str() {
        "registry" | "inline" | "gha" | "s3" | "azblob" => Ok(CacheOptionsEntry { r#type: kind, attrs }),
        "local" => {
            let folder = if name == "cache_to" { "dest" } else { "src" };
            if attrs.get(folder).is_none_or(String::is_empty) {
                return Err(EngineError::build_key(
                    key,
                    format!("build.{name} is \"{text}\", which names no folder"),
                    format!("write type=local,{folder}=FOLDER"),
                ));
            }
            Ok(CacheOptionsEntry { r#type: kind, attrs })
        }
        _ => Err(EngineError::build_key(
            key,
            format!("build.{name} is \"{text}\", which is no kind of cache"),
            "write an image reference, type=registry,ref=IMAGE, type=local or type=inline",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ErrorKind;
    use crate::model::Build;

    fn spec(build: serde_json::Value) -> BuildSpec {
        BuildSpec {
            dockerfile: "docker/Dockerfile.dev".into(),
            build: serde_json::from_value::<Build>(build).unwrap(),
            ..Default::default()
        }
    }

    fn attributes_of(spec: &BuildSpec) -> HashMap<String, String> {
        solve_request(spec, "s", (1, 51), true).unwrap().frontend_attrs
    }

    #[test]
    fn keys_of_a_build() {
        for (build, key, value) in [
            (json!({}), "filename", "Dockerfile.dev"),
            (json!({}), "image-resolve-mode", "local"),
            (json!({"pull": true}), "image-resolve-mode", "pull"),
            (json!({"no_cache": true}), "no-cache", ""),
            (json!({"target": "t"}), "target", "t"),
            (json!({"args": {"A": "b"}}), "build-arg:A", "b"),
            (json!({"labels": {"a": "b"}}), "label:a", "b"),
            (json!({"network": "host"}), "force-network-mode", "host"),
            (json!({"extra_hosts": ["a=1.2.3.4", "b=::1"]}), "add-hosts", "a=1.2.3.4,b=::1"),
            (json!({"shm_size": "1m"}), "shm-size", "1048576"),
            (json!({"ulimits": {"nofile": {"soft": 1, "hard": 2}}}), "ulimit", "nofile=1:2"),
            (json!({"platforms": ["linux/amd64", "linux/arm64"]}), "platform", "linux/amd64,linux/arm64"),
            (json!({"provenance": "mode=max"}), "attest:provenance", "mode=max"),
            (json!({"sbom": "true"}), "attest:sbom", ""),
            (
                json!({"additional_contexts": {"base": "docker-image://debian"}}),
                "context:base",
                "docker-image://debian",
            ),
        ] {
            assert_eq!(attributes_of(&spec(build.clone())).get(key).map(String::as_str), Some(value), "{build}");
        }
        assert!(!attributes_of(&spec(json!({"args": {"A": null}}))).contains_key("build-arg:A"));
        assert!(!attributes_of(&spec(json!({"provenance": "false"}))).contains_key("attest:provenance"));
    }

    #[test]
    fn entitlements_and_cache() {
        let spec = spec(
            json!({"network": "host", "privileged": true, "cache_from": ["a/b", "type=registry,ref=c"], "cache_to": ["type=inline"]}),
        );
        let request = solve_request(&spec, "s", (1, 41), false).unwrap();
        assert_eq!(request.entitlements, ["network.host", "security.insecure"]);
        let cache = request.cache.unwrap();
        assert_eq!(cache.imports.iter().map(|entry| entry.attrs["ref"].as_str()).collect::<Vec<_>>(), ["a/b", "c"]);
        assert_eq!(cache.exports[0].r#type, "inline");
    }

    #[test]
    fn the_frontend_is_told_of_caches() {
        let build = json!({"cache_from": ["type=registry,ref=a/b"]});
        let mut request = solve_request(&spec(build), "s", (1, 41), false).unwrap();
        set_imports(&mut request);
        assert_eq!(request.frontend_attrs["cache-imports"], r#"[{"Type":"registry","Attrs":{"ref":"a/b"}}]"#);
        let mut request = solve_request(&spec(json!({})), "s", (1, 41), false).unwrap();
        set_imports(&mut request);
        assert!(!request.frontend_attrs.contains_key("cache-imports"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (build, at, part) in [
            (json!({"additional_contexts": {"a": "/folder"}}), "additional_contexts.a", "neither a URL"),
            (json!({"cache_to": ["type=inline", "type=local,dest=x"]}), "cache_to.1", "containerd image store"),
            (json!({"cache_from": ["type=local,dest=x"]}), "cache_from.0", "names no folder"),
            (json!({"cache_from": ["type=other"]}), "cache_from.0", "no kind of cache"),
            (json!({"sbom": "true"}), "sbom", "containerd image store"),
            (json!({"platforms": ["a/b", "c/d"]}), "platforms", "several platforms"),
        ] {
            let error = solve_request(&spec(build), "s", (1, 51), false).unwrap_err();
            assert!(error.message.contains(part), "{}", error.message);
            assert!(![".0", ".1"].iter().any(|index| error.message.contains(index)), "{}", error.message);
            let ErrorKind::BuildKey { key, instead } = error.kind else { panic!("{error}") };
            assert_eq!(key, at);
            assert!(!instead.is_empty());
        }
        let older = spec(json!({"additional_contexts": {"a": "docker-image://b"}}));
        let error = solve_request(&older, "s", (1, 41), false).unwrap_err();
        assert!(error.message.contains("Docker Engine 23.0"), "{error}");
        assert_eq!(warnings(&spec(json!({"shm_size": "1m"})), (1, 41)).len(), 1);
        assert!(warnings(&spec(json!({"shm_size": "1m"})), (1, 42)).is_empty());
    }

    #[test]
    fn contexts_by_name() {
        let mut spec = spec(json!({"additional_contexts": {"lib": "/folder"}}));
        spec.contexts.insert("lib".into(), BuildContext::Files(Vec::new()));
        assert_eq!(attributes_of(&spec)["context:lib"], "local:context-lib");
        spec.context = BuildContext::Remote("https://example.com/a.git".into());
        let attributes = attributes_of(&spec);
        assert_eq!(
            (attributes["context"].as_str(), attributes["filename"].as_str()),
            ("https://example.com/a.git", "docker/Dockerfile.dev")
        );
    }
}
