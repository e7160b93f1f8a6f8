//! From a parsed Dockerfile to a recipe.

use crate::inputs::dockerfile::Dockerfile;
use crate::inputs::error::InputsError;
use crate::inputs::reading::request::BuildRequest;
use crate::inputs::recipe::resolver::Resolver;
use crate::inputs::recipe::{Recipe, steps};

/// Makes the recipe of a build.
pub(crate) fn resolve(
    request: &BuildRequest<'_>,
    dockerfile: &Dockerfile,
    path: Option<&std::path::PathBuf>,
) -> Result<Recipe, InputsError> {
    let wrap = |error| InputsError::Dockerfile { path: path.cloned(), error: Box::new(error) };
    let target_name = request.build.target.as_deref().filter(|target| !target.is_empty());
    let mut resolver = Resolver::new(request, dockerfile, target_name);
    resolver.check_frontend();
    resolver.set_globals().map_err(wrap)?;
    resolver.stages().map_err(wrap)?;
    let target = resolver.target(target_name)?;
    resolver.reach(target).map_err(wrap)?;
    resolver.note_images(target);
    steps::evaluate(&mut resolver, target).map_err(wrap)?;
    resolver.text();
    Ok(resolver.recipe)
}
