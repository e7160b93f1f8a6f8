//! What was said of changes that ask for nothing.

use crate::model::Aside;

/// What was said of a service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    pub mounted: bool,
    /// That a save does not start it again; said once for each time that it has ended.
    pub ended: bool,
    pub housekeeping: bool,
    pub output: bool,
    /// That its image could not be built in the background.
    pub stale_image: bool,
}

impl Said {
    pub fn of(&mut self, aside: &Aside) -> Option<&mut bool> {
        match aside {
            Aside::Mounted { said: false, .. } => Some(&mut self.mounted),
            Aside::Housekeeping { .. } => Some(&mut self.housekeeping),
            Aside::Output => Some(&mut self.output),
            Aside::Mounted { .. } | Aside::Hidden { .. } | Aside::IgnoreFile => None,
        }
    }

    /// Whether there is something to say that was not said.
    pub fn may_say(mut self, aside: &Aside) -> bool {
        let ended = matches!(aside, Aside::Mounted { said: false, .. }) && !self.ended;
        ended || self.of(aside).is_some_and(|said| !*said)
    }
}
