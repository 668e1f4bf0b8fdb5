//! What an operator does to a database, beside its running server or without one.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::duration;

/// An operation as it was typed, and as the running server is asked for it.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum Operation {
    /// Write a consistent copy of the database to a new file
    Backup { file: PathBuf },
    /// Put a copy of a database in the place of this one, while no server runs; the one that is
    /// there is kept
    ///
    /// The copy is one that `backup` wrote, or the files of a server that was stopped. It is
    /// checked first. What was ended after it was made is valid again: devices that were removed,
    /// keys that were revoked, passwords that were changed. Every session is told, unless
    /// --end-credentials ends them all.
    Restore {
        /// The copy, which stays as it is
        file: PathBuf,
        /// End every device's cookie, every API key and every token; users log in again with the
        /// passwords of the copy, and sessions without a password end
        #[arg(long)]
        end_credentials: bool,
        /// Replace the database even if it cannot be kept, or not in one file
        #[arg(long)]
        force: bool,
    },
    /// Print the audit log, oldest first
    Audit {
        /// Only what came before this line's id
        #[arg(long)]
        before: Option<i64>,
        /// The last so many
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Register, list, rotate and remove apps
    #[command(subcommand)]
    App(OnApps),
    /// List the live sessions
    Sessions,
    /// Show a session, with its devices, its API keys and what it has granted
    Session {
        /// Its nick, or its id
        session: String,
        /// End it, for every device
        #[arg(long)]
        end: bool,
    },
    /// Show a channel, with its members and bans
    Channel {
        /// Its name; a shell takes what follows a bare # for a comment, so the # may be left out
        name: String,
        /// Make this member op
        #[arg(long, value_name = "NICK", conflicts_with = "end")]
        op: Option<String>,
        /// End it: every member is removed
        #[arg(long)]
        end: bool,
    },
    /// List what apps are granted
    Grants {
        /// To this app or API key, by its client_id
        #[arg(long)]
        app: Option<String>,
        /// By this session, by its nick or id
        #[arg(long)]
        session: Option<String>,
    },
    /// Revoke a grant, with its tokens and its client
    Revoke { grant: i64 },
    /// Make, rotate and accept the file of the server's own keys
    #[command(subcommand)]
    Keys(OnKeys),
}

impl Operation {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::Restore { .. } => "restore",
            Self::Audit { .. } => "audit",
            Self::App(_) => "app",
            Self::Sessions => "sessions",
            Self::Session { .. } => "session",
            Self::Channel { .. } => "channel",
            Self::Grants { .. } => "grants",
            Self::Revoke { .. } => "revoke",
            Self::Keys(_) => "keys",
        }
    }
}

/// What is done to the key file, which `--keys` names.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum OnKeys {
    /// Make a key file
    Create,
    /// Add the next keys to the key file; the ones before stay in it while something depends on
    /// them
    Rotate {
        /// Use the new keys at once, because the ones before may have leaked, and not only in a day
        #[arg(long)]
        at_once: bool,
        /// The key file, as it is found from any folder
        #[arg(skip)]
        file: PathBuf,
    },
    /// Make the key file this database's, in place of one that is lost
    Accept {
        /// The key file, as it is found from any folder
        #[arg(skip)]
        file: PathBuf,
    },
}

/// What is done to the registry of apps.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum OnApps {
    /// Register an app, and print what it proves itself with
    Add {
        /// What its users are shown
        #[arg(long)]
        name: String,
        /// It can keep no secret, as what runs on its users' machines; its users' tokens work by
        /// themselves
        #[arg(long)]
        public: bool,
        /// Where its users may be sent back to, which gives it the code flow; repeatable
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// It may let devices join by a code that they show (the device flow)
        #[arg(long)]
        device: bool,
        /// It may introspect every token
        #[arg(long)]
        resource_server: bool,
        /// Its users' tokens work by themselves, without its own beside them
        #[arg(long)]
        bearer_alone: bool,
        /// The most that it may be granted
        #[arg(long, default_value = "chat:read chat:write identity")]
        scope: String,
    },
    /// List the operator's apps, for 30 days also those that were removed
    List,
    /// Give an app a new secret, and print it
    Rotate {
        client_id: String,
        /// How long the secrets before it go on working, at most 90d
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
    },
    /// Remove an app, or somebody's API key, with all that it was granted
    Remove { client_id: String },
}

/// A duration, or none at all.
fn overlap(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        Ok(Duration::ZERO)
    } else {
        duration(text)
    }
}
