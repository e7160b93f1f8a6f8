//! Files of this machine as tar archives, both ways, a piece at a time: what is copied may be larger than memory, and
//! what comes from a container may name whatever it likes.

mod pack;
mod pipe;
#[cfg(test)]
mod tests;
mod unpack;

pub use pack::pack;
pub use pipe::{feed, pieces, reader};
pub use unpack::{Place, unpack};
