//! Platforms as engines and images name them, compared.

/// System and architecture; a variant (`linux/arm64/v8`) makes no difference to the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Platform<'a> {
    /// `linux`, `windows`.
    pub system: &'a str,
    /// In the words of engines: `amd64`, `arm64`.
    pub architecture: &'a str,
}

impl<'a> Platform<'a> {
    /// Reads `system/architecture[/variant]`; what is missing is empty.
    pub fn of(text: &'a str) -> Self {
        let mut parts = text.split('/');
        let (system, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self { system, architecture }
    }
}
