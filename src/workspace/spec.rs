//! The build of a service as the engine takes it.

use super::reader::Reader;
use super::secrets::build_secrets;
use crate::engine::{BuildContext, BuildSpec, ContextFile, Was};
use crate::event::{Cause, Failure, Message};
use crate::inputs::{self, BuildInputs};
use crate::model::{Digest, Project, ServiceName};
use crate::plan::labels;

/// All but the image's names.
///
/// # Errors
/// What can no longer be read since it was measured.
pub(super) fn spec(reader: &Reader, project: &Project, service: &ServiceName) -> Result<BuildSpec, Failure> {
    let Some(definition) = project.services.get(service) else {
        let message = Message::new(format!("service {service} is not in the manifest"));
        return Err(Failure { cause: Cause::Manifest, message });
    };
    let Some(mut build) = definition.build.clone() else {
        let message = Message::new(format!("service {service} has no `build`")).service(service);
        return Err(Failure { cause: Cause::Manifest, message });
    };
    let read = reader.reading(service);
    let given = reader.given_to(service);
    build.args.extend(given.iter().map(|(name, value)| (name.clone(), Some(value.clone()))));
    for (name, value) in &mut build.args {
        *value = value.clone().or_else(|| reader.environment.get(name).cloned());
    }
    build.args.retain(|_, value| value.is_some());
    reader.build.add_to(&mut build);
    let mut spec = BuildSpec {
        platform: definition.platform.clone(),
        pull: reader.build.pull || build.pull,
        no_cache: reader.build.no_cache || build.no_cache,
        secrets: build_secrets(&*reader.tree, project, definition)?,
        ..BuildSpec::default()
    };
    if let Some(BuildInputs { context: Some(context), dockerfile, additional, digest, .. }) = read.as_deref() {
        spec.context = BuildContext::Files(files(context));
        match dockerfile {
            Some(source) => {
                spec.dockerfile = source.relative.clone().unwrap_or_else(|| "Dockerfile".to_owned());
                spec.dockerfile_text = Some(source.text.clone());
            }
            None => spec.dockerfile = build.dockerfile.clone().unwrap_or_default(),
        }
        for context in additional {
            let Some(name) = &context.name else { continue };
            spec.contexts.insert(name.clone(), BuildContext::Files(files(context)));
        }
        spec.labels.extend(image_labels(project, service, digest));
        if !given.is_empty() {
            // They are in the image's history anyway, where a `RUN` sees them.
            spec.labels.insert(labels::ARGS.to_owned(), serde_json::to_string(&given).unwrap_or_default());
        }
    } else {
        spec.context = BuildContext::Remote(build.context.clone().unwrap_or_default());
        spec.dockerfile = build.dockerfile.clone().unwrap_or_else(|| "Dockerfile".to_owned());
        spec.dockerfile_text.clone_from(&build.dockerfile_inline);
    }
    for target in build.additional_contexts.values_mut() {
        if let Some(other) = target.strip_prefix("service:").and_then(|other| project.services.get(other)) {
            *target = format!("docker-image://{}", project.image_name(other));
        }
    }
    spec.build = build;
    Ok(spec)
}

/// What is written on an image: whose it is, as Compose does, and what it was built from.
fn image_labels(project: &Project, service: &ServiceName, digest: &Digest) -> [(String, String); 3] {
    [
        (labels::PROJECT.to_owned(), project.name.to_string()),
        (labels::SERVICE.to_owned(), service.to_string()),
        (labels::INPUTS.to_owned(), digest.as_str().to_owned()),
    ]
}

fn files(context: &inputs::ContextFiles) -> Vec<ContextFile> {
    let file = |file: &inputs::ContextFile| ContextFile {
        source: context.root.join(&*file.path),
        path: file.path.to_string(),
        // Of a folder on the way nobody asks what it is.
        was: (!file.parent_only).then(|| Was { kind: file.kind.clone(), mode: file.mode, digest: file.digest.clone() }),
    };
    context.files.iter().map(file).collect()
}
