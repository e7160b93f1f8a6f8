//! Where the project and its measures come from, as whoever plans and carries out is handed them. All of it may block; a
//! session calls it off its loop.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::engine::BuildSpec;
use crate::event::{Failure, Message};
use crate::model::{
    ContainerId, Content, Delta, Digest, Location, Look, ObservedImage, Parts, Project, ServiceName, Watch,
};
use crate::plan::Wanted;

/// A project that was read without errors.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The project.
    pub project: Project,
    /// What is legal and surely wrong.
    pub warnings: Vec<Message>,
}

/// Reads what should be.
pub trait Sources: Send + Sync {
    /// Reads the manifest.
    ///
    /// # Errors
    /// All that is wrong with it.
    fn load(&self) -> Result<Loaded, Vec<Message>>;

    /// The images from outside that the builds of these services start from.
    fn base_images(&self, project: &Project, services: &[ServiceName]) -> Vec<String>;

    /// The images of the services may be taken as they are, so all of them are looked at.
    fn takes_images(&self) -> bool {
        false
    }

    /// Measures what the builds of these services read. `images` are those of the engine, by reference.
    ///
    /// # Errors
    /// What cannot be read, with its cause: what the manifest says, what it names and is not there, or what a build
    /// reads.
    fn measure(
        &self,
        project: &Project,
        services: &[ServiceName],
        images: &IndexMap<String, ObservedImage>,
    ) -> Result<Wanted, Vec<Failure>>;

    /// What is watched for a service whose build's inputs cannot be read: all that may mend it. `None` where it builds
    /// nothing.
    fn watch_for_mend(&self, _project: &Project, _service: &ServiceName) -> Option<Watch> {
        None
    }

    /// The build of a service, ready for the engine but for the image's names.
    ///
    /// # Errors
    /// What can no longer be read since it was measured, with its cause.
    fn build_spec(&self, project: &Project, service: &ServiceName) -> Result<BuildSpec, Failure>;

    /// What makes the image of a service, as it was last measured (`now`), of that of an earlier measure.
    ///
    /// # Errors
    /// Why it has to be built.
    fn delta(
        &self,
        _project: &Project,
        _service: &ServiceName,
        _now: &Digest,
        _before: &Digest,
    ) -> Result<Delta, String> {
        Err("these sources keep no earlier measures".to_owned())
    }

    /// Under which name the builder's copy of a context may be, that the next transfer begins with. Taken out of what is
    /// kept: who does not come to [`Sources::keep_copy`] leaves none, and the next one begins anew.
    fn take_copy(&self, _context: &str) -> String {
        String::new()
    }

    /// A transfer of the context came to its end.
    fn keep_copy(&self, _context: &str, _name: &str) {}

    /// Where in its Dockerfile the step of a service's build is that has this name.
    fn place(&self, _service: &ServiceName, _step: &str) -> Option<Location> {
        None
    }

    /// What is known of the files of an image that never changes, by its id.
    fn looks(&self, _image: &str) -> HashMap<String, Option<Look>> {
        HashMap::new()
    }

    /// Keeps what is known of the files of an image.
    fn keep_looks(&self, _image: &str, _looks: &HashMap<String, Option<Look>>) {}

    /// What a container holds, as far as this user's hob knows.
    fn content(&self, _container: &ContainerId) -> Content {
        Content::AsMade
    }

    /// Notes what a container holds; before a sync, that there is one.
    ///
    /// # Errors
    /// It cannot be noted: nothing may be synced then.
    fn note_content(&self, _container: &ContainerId, _content: &Content) -> std::io::Result<()> {
        Ok(())
    }

    /// The parts of earlier measures, to say what changed.
    fn history(&self, digests: &[Digest]) -> HashMap<Digest, Parts>;
}
