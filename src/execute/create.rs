//! Making a container of the image that was made for it. A container names its image by the service's name, as Compose
//! does, and that name may go to another image at any moment: by a build elsewhere, by hand, or by an engine that comes
//! to the end of a build that was given up. What a container was made of is in its labels, so it has to be true.

use super::executor::Executor;
use crate::engine::{EngineError, ErrorKind, Result};
use crate::model::{ContainerId, ContainerSpec, Content, Digest, ObservedImage};
use crate::plan::labels::{IMAGE, INPUTS, UNCONFIRMED};
use crate::plan::{Create, by_digest};

/// So often the name may be taken away between two requests.
const TRIES: usize = 4;

/// The image that a container is made for, with its name by digest.
struct Own {
    name: String,
    image: ObservedImage,
}

impl Executor {
    pub(super) async fn create(&self, create: &Create) -> Result<()> {
        let mut spec = create.spec.clone();
        let own = self.own(&mut spec).await?;
        if !create.agent {
            self.agents.note(&spec.service.name, false);
            let id = self.make(&spec, own.as_ref()).await?;
            self.note_made(&id, &spec);
            return Ok(());
        }
        let image = match &own {
            Some(own) => Some(own.image.clone()),
            None => self.engine.image(&spec.image).await?,
        };
        let spec = self.agents.wrap(&spec, image).await?;
        let id = self.make(&spec, own.as_ref()).await?;
        self.note_made(&id, &spec);
        let provided = self.agents.provide(&spec).await;
        if provided.is_err() {
            // Without the agent it could never start; that it cannot be removed either says nothing new.
            let _ = self.engine.remove_container(&id, true).await;
        }
        provided
    }

    /// It holds what its image has. A container for which that cannot be noted is made anew by the next plan.
    fn note_made(&self, id: &ContainerId, spec: &ContainerSpec) {
        if spec.labels.contains_key(INPUTS) {
            let _ = self.sources.note_content(id, &Content::AsMade);
        }
    }

    /// Makes a container that has no agent and is no part of a plan.
    ///
    /// # Errors
    /// What the engine refuses.
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<ContainerId> {
        let mut spec = spec.clone();
        let own = self.own(&mut spec).await?;
        self.make(&spec, own.as_ref()).await
    }

    /// Looks up the image of a container whose image is built, and writes down which one it is. Where there is none by
    /// the digest, nobody has confirmed that the image is what the digest says, and neither must the container say so.
    async fn own(&self, spec: &mut ContainerSpec) -> Result<Option<Own>> {
        let digest = spec.labels.get(INPUTS).and_then(|digest| Digest::parse(digest));
        let Some(digest) = digest else { return Ok(None) };
        let name = by_digest(&digest);
        let unconfirmed = self.builds.unconfirmed(&name);
        // An image that was built before has the digest, and the one that was built since has the service's name.
        let is_newer = match &unconfirmed {
            Some(id) => self.engine.image(&spec.image).await?.is_some_and(|image| image.id.as_str() == id),
            None => false,
        };
        let image = if is_newer { None } else { self.engine.image(&name).await? };
        let Some(image) = image else {
            spec.labels.insert(INPUTS.to_owned(), UNCONFIRMED.to_owned());
            return Ok(None);
        };
        spec.labels.insert(IMAGE.to_owned(), image.id.to_string());
        Ok(Some(Own { name, image }))
    }

    /// Makes a container, again where its image turns out to be another one. One that is left behind in between says
    /// by its labels that it is not what it should be.
    async fn make(&self, spec: &ContainerSpec, own: Option<&Own>) -> Result<ContainerId> {
        let mut naming = None;
        for _ in 0..TRIES {
            let id = self.engine.create_container(spec).await?;
            let Some(Own { name, image }) = own else { return Ok(id) };
            if self.engine.inspect(&id).await?.is_none_or(|made| made.image == image.id) {
                return Ok(id);
            }
            self.engine.remove_container(&id, true).await?;
            // Two services of this project may give one name to two images: from here on one after the other.
            if naming.is_none() {
                naming = Some(self.builds.naming.lock().await);
            }
            self.engine.tag(name, &spec.image).await?;
        }
        let text = format!("the name {} is given to another image again and again", spec.image);
        Err(EngineError::new(ErrorKind::Conflict, text))
    }
}
