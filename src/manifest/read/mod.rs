//! What a load reads: the manifest files and the env files, as texts and as trees that know where they were written.

pub mod discover;
pub mod dotenv;
pub mod environment;
pub mod source;
pub mod yaml;
