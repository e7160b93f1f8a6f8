//! `hob plugin`.

use clap::{Args, Subcommand};

/// Make hob a command of Docker's own: `docker hob`.
#[derive(Clone, Debug, Args)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: PluginAction,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum PluginAction {
    /// Install it for this user
    Install {
        /// Answer to `docker compose` too, in place of Docker Compose
        #[arg(long)]
        compose: bool,
    },
    /// Remove what `install` has written
    Remove,
}
