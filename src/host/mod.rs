//! Room `host`.
pub mod ports {
    pub fn holder(_port: u16) -> Option<String> {
        None
    }
}
