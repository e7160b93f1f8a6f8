//! Where in a manifest a short form stands.

/// The keys that lead to a value, without the numbers of list items.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    pub(super) parent: Option<&'a Self>,
    pub(super) key: &'a str,
}

impl<'a> Path<'a> {
    pub(super) fn keys(&self) -> Vec<&'a str> {
        let mut keys = self.parent.map(Self::keys).unwrap_or_default();
        keys.push(self.key);
        keys
    }

    /// With dots, from the top of the manifest.
    pub(super) fn whole(&self) -> String {
        self.keys().join(".")
    }

    /// With dots, from the service.
    pub(super) fn in_service(&self) -> String {
        self.keys().get(2..).unwrap_or_default().join(".")
    }
}
