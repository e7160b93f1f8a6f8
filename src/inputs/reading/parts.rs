//! What a build's digest is made of.

use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::inputs::error::InputsError;
use crate::inputs::reading::files::{ContextFile, ContextFiles, DockerfileSource};
use crate::inputs::reading::request::{BaseImage, BuildRequest};
use crate::inputs::recipe::resolver;
use crate::inputs::recipe::scope::is_predefined;
use crate::inputs::recipe::{AdditionalOrigin, Recipe};
use crate::model::{Digest, EntryKind, Fallback, FileParts, FileTree, Part, Parts};

/// Changes when what a digest means changes, so that older images are not taken for newer ones.
const VERSION: &str = "hob inputs 3";

/// A secret that the build mounts.
#[derive(Clone, Debug)]
pub(crate) struct SecretInput {
    /// Its id.
    pub id: String,
    /// Digest of its content, salted; none where it has none or nothing to salt it with.
    pub digest: Option<Digest>,
    /// The file that it comes from.
    pub file: Option<PathBuf>,
}

/// Reads the secrets that the build mounts. Their content goes into a digest and nowhere else.
pub(crate) fn secrets(
    tree: &dyn FileTree,
    request: &BuildRequest<'_>,
    recipe: &Recipe,
) -> Result<Vec<SecretInput>, InputsError> {
    let all = matches!(recipe.fallback, Some(Fallback::UnknownSyntax { .. } | Fallback::RemoteContext { .. }));
    let mut found = Vec::new();
    for reference in &request.build.secrets {
        let Some(source) = reference.source.as_deref() else { continue };
        let id = reference.target.as_deref().filter(|t| !t.is_empty()).unwrap_or(source);
        if !all && !recipe.secrets.contains(id) {
            continue;
        }
        let secret = request
            .project
            .secrets
            .get(source)
            .ok_or_else(|| InputsError::UnknownSecret { name: source.to_owned() })?;
        let file = secret.file.as_deref().map(|f| request.absolute(f));
        let digest = match (&file, &secret.environment, &secret.content) {
            (Some(path), ..) => match tree.read(path) {
                Ok(bytes) => salted(request.salt, &bytes),
                Err(error) => {
                    return Err(InputsError::SecretFile { name: source.to_owned(), path: path.clone(), error });
                }
            },
            (_, Some(name), _) => {
                let value = request.project.environment.get(name);
                value.and_then(|value| salted(request.salt, value.as_bytes()))
            }
            (_, _, Some(content)) => salted(request.salt, content.as_bytes()),
            _ => None,
        };
        found.push(SecretInput { id: id.to_owned(), digest, file });
    }
    Ok(found)
}

/// The digest of a secret. It becomes a part of an image's label, which whoever has the image can read and who has the
/// sources can make again for each guess: so there is none without a salt.
fn salted(salt: &str, secret: &[u8]) -> Option<Digest> {
    (!salt.is_empty()).then(|| Digest::of_json(&(salt, Digest::of(secret))))
}

/// The parts of a build.
pub(crate) fn parts(
    request: &BuildRequest<'_>,
    recipe: &Recipe,
    source: Option<&DockerfileSource>,
    contexts: &[ContextFiles],
    secrets: &[SecretInput],
) -> Parts {
    let mut parts: Vec<(Part, Digest)> = Vec::new();
    let mut add = |part: Part, digest: Digest| parts.push((part, digest));
    let everything = matches!(recipe.fallback, Some(Fallback::UnknownSyntax { .. } | Fallback::RemoteContext { .. }));
    if let Some(source) = source {
        let outside = || source.path.as_ref()?.file_name().map(|name| name.to_string_lossy().into_owned());
        let path = source.relative.clone().or_else(outside);
        let text = if everything { &source.text } else { &recipe.text };
        add(Part::Dockerfile { path }, Digest::of(text.as_bytes()));
        let names_builder =
            ["BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"].iter().any(|name| text.contains(name));
        if names_builder || everything {
            add(Part::BuildPlatform, Digest::of(request.platform.as_bytes()));
        }
    }
    for (name, value) in request.args() {
        if everything || recipe.declared.contains(&name) || is_predefined(&name) || recipe.globals.contains(&name) {
            add(Part::Argument { name }, Digest::of(value.as_bytes()));
        }
    }
    settings(request, &mut add);
    for image in &recipe.images {
        let id = request.images.get(&image.name).map_or("", |i| &i.id);
        let platform = image.platform.as_deref().unwrap_or_default();
        let name = image.name.clone();
        let part = if image.base { Part::BaseImage { image: name } } else { Part::Image { image: name } };
        add(part, Digest::of_json(&(id, platform)));
    }
    for service in &recipe.services {
        let id = request.services.get(service).map_or("", |i| &i.id);
        add(Part::ServiceImage { service: service.clone() }, Digest::of(id.as_bytes()));
    }
    for context in resolver::additional(request) {
        if !everything && !recipe.additional.contains(&context.name) {
            continue;
        }
        let what = match &context.origin {
            AdditionalOrigin::Folder(..) => "folder",
            AdditionalOrigin::Image(image) | AdditionalOrigin::Remote(image) => image,
            AdditionalOrigin::Service(service) => service,
        };
        add(Part::Context { name: context.name }, Digest::of(what.as_bytes()));
    }
    if let Some(Fallback::RemoteContext { url }) = &recipe.fallback {
        add(Part::RemoteContext, Digest::of(url.as_bytes()));
    }
    for secret in secrets {
        add(Part::Secret { id: secret.id.clone() }, Digest::of_json(&(&secret.id, &secret.digest)));
    }
    for ssh in &request.build.ssh {
        let id = ssh.split('=').next().unwrap_or_default();
        if everything || recipe.ssh.contains(id) {
            add(Part::Ssh { id: id.to_owned() }, Digest::of(ssh.as_bytes()));
        }
    }
    let files = contexts.iter().map(|context| FileParts {
        context: context.name.as_deref().map(Arc::from),
        files: context.files.iter().filter_map(|file| Some((file.path.clone(), file.part.clone()?))).collect(),
    });
    Parts::new(parts, files.collect())
}

/// Keys of `build` that can make the result another one.
fn settings(request: &BuildRequest<'_>, add: &mut impl FnMut(Part, Digest)) {
    let build = request.build;
    let mut set = |part: Part, value: serde_json::Value| {
        let empty = match &value {
            serde_json::Value::Null => true,
            serde_json::Value::Bool(on) => !on,
            serde_json::Value::Array(list) => list.is_empty(),
            serde_json::Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !empty {
            add(part, Digest::of_json(&value));
        }
    };
    let setting = |key: &str| Part::Setting { key: key.to_owned() };
    set(setting("target"), serde_json::json!(build.target));
    let mut platforms = request.platforms();
    if platforms.is_empty() {
        platforms.push(request.platform.to_owned());
    }
    set(Part::Platform, serde_json::json!(platforms));
    let mut labels: Vec<_> = build.labels.iter().collect();
    labels.sort();
    set(setting("labels"), serde_json::json!(labels));
    set(setting("network"), serde_json::json!(build.network));
    set(setting("extra_hosts"), serde_json::json!(build.extra_hosts));
    set(setting("shm_size"), serde_json::json!(build.shm_size));
    set(setting("ulimits"), serde_json::json!(build.ulimits));
    set(setting("privileged"), serde_json::json!(build.privileged));
    set(setting("entitlements"), serde_json::json!(build.entitlements));
    set(setting("isolation"), serde_json::json!(build.isolation));
    set(setting("provenance"), serde_json::json!(build.provenance));
    set(setting("sbom"), serde_json::json!(build.sbom));
}

/// The digest of an entry as a `COPY` carries it. There may be many of them, so this is done by hand.
pub(crate) fn entry_digest(file: &ContextFile) -> Digest {
    let mut hasher = Sha256::new();
    match (&file.kind, &file.digest) {
        (EntryKind::Symlink(target), _) => {
            hasher.update(b"link\0");
            hasher.update(target.as_os_str().as_encoded_bytes());
        }
        (EntryKind::File { .. }, Some(digest)) => {
            hasher.update(b"file\0");
            hasher.update(file.mode.to_le_bytes());
            hasher.update(digest.as_str());
        }
        _ => {
            hasher.update(b"folder\0");
            hasher.update(file.mode.to_le_bytes());
        }
    }
    Digest::from_hasher(hasher)
}

/// The digest of all parts.
pub(crate) fn digest(parts: &Parts) -> Digest {
    let mut hasher = Sha256::new_with_prefix(VERSION);
    let mut add = |text: &[u8]| {
        hasher.update(text.len().to_le_bytes());
        hasher.update(text);
    };
    for (part, digest) in parts.others() {
        add(&serde_json::to_vec(part).unwrap_or_default());
        add(digest.as_str().as_bytes());
    }
    for FileParts { context, files } in parts.files() {
        add(&serde_json::to_vec(&("files", context, files.len())).unwrap_or_default());
        for (path, digest) in files {
            add(path.as_bytes());
            add(digest.as_str().as_bytes());
        }
    }
    Digest::from_hasher(hasher)
}

/// What may change without the digest changing.
pub(crate) fn unpinned(request: &BuildRequest<'_>, recipe: &Recipe) -> Vec<String> {
    let known = |image: Option<&BaseImage>| image.is_some_and(|i| !i.id.is_empty());
    let mut unpinned = recipe.unpinned.clone();
    for image in recipe.images.iter().filter(|i| !known(request.images.get(&i.name)) && !i.name.contains("@sha256:")) {
        unpinned.insert(image.name.clone());
    }
    for service in recipe.services.iter().filter(|s| !known(request.services.get(*s))) {
        unpinned.insert(format!("service:{service}"));
    }
    unpinned.into_iter().collect()
}
