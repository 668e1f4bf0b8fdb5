//! The operator's subcommands, which work beside a running server or without one.

use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use serde::{Deserialize, Serialize};

use super::duration::duration;

/// A subcommand as it was typed, and as it is sent to the running server.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum Operation {
    /// Write a consistent copy of the database to a new file
    Backup {
        /// The new file; it must not exist
        file: PathBuf,
    },
    /// Replace the database with a copy, while no server runs; the previous database is kept
    ///
    /// The copy is a file that `backup` wrote, or the files of a server that was stopped. It is
    /// checked first. Devices that were removed, keys that were revoked and passwords that were
    /// changed after the copy was made are valid again. Every session is told, unless
    /// --end-credentials ends them all.
    Restore {
        /// The copy; it stays as it is
        file: PathBuf,
        /// End every device's cookie, every API key and every token; users log in again with the
        /// passwords of the copy, and sessions without a password end
        #[arg(long)]
        end_credentials: bool,
        /// Replace the database even if it cannot be kept, or cannot be kept in one file
        #[arg(long)]
        force: bool,
    },
    /// Print the audit log, oldest first
    Audit {
        /// Only lines before this id
        #[arg(long)]
        before: Option<i64>,
        /// The most lines; the last ones are printed
        #[arg(long, default_value_t = 200)]
        limit: usize,
    },
    /// Register, list, rotate and remove apps
    #[command(subcommand)]
    App(OnApps),
    /// List the live sessions
    Sessions,
    /// Show a session, with its devices, its API keys and its grants
    Session {
        /// The session's nick or id
        session: String,
        /// End the session, for every device
        #[arg(long)]
        end: bool,
    },
    /// Show a channel, with its members and bans
    Channel {
        /// The channel's name; the # may be left out, because a shell takes # for a comment
        name: String,
        /// Make this member a channel operator
        #[arg(long, value_name = "NICK", conflicts_with = "end")]
        op: Option<String>,
        /// End the channel: every member is removed
        #[arg(long)]
        end: bool,
    },
    /// List the live grants of apps
    Grants {
        /// Only the grants of this app or API key, by its client_id
        #[arg(long)]
        app: Option<String>,
        /// Only the grants of this session, by its nick or id
        #[arg(long)]
        session: Option<String>,
    },
    /// Revoke a grant, with its tokens and its client
    Revoke {
        /// The grant's number, as `grants` lists it
        grant: i64,
    },
    /// Create, rotate and accept the file of the server's own keys
    #[command(subcommand)]
    Keys(OnKeys),
}

impl Operation {
    /// The subcommand's name on the command line.
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

/// The subcommands on the key file, which `--keys` names.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum OnKeys {
    /// Create a key file
    Create,
    /// Add the next keys to the key file; earlier keys stay while something depends on them
    Rotate {
        /// Use the new keys at once instead of in a day, because the earlier ones may have leaked
        #[arg(long)]
        at_once: bool,
        /// The key file's absolute path
        #[arg(skip)]
        file: PathBuf,
    },
    /// Use this key file for the database from now on, in place of one that is lost
    Accept {
        /// The key file's absolute path
        #[arg(skip)]
        file: PathBuf,
    },
}

/// The subcommands on the operator's apps.
#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum OnApps {
    /// Register an app, and print its client_id and client_secret
    Add {
        /// The name that its users see
        #[arg(long)]
        name: String,
        /// The app cannot keep a secret, such as a program on its users' machines; its users'
        /// tokens work by themselves
        #[arg(long)]
        public: bool,
        /// An address to which its users may be sent back (the code flow); repeatable
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// The app may show a code that its user types on another device (the device flow)
        #[arg(long)]
        device: bool,
        /// The app may introspect every token
        #[arg(long)]
        resource_server: bool,
        /// Its users' tokens work by themselves, without the app's own token
        #[arg(long)]
        bearer_alone: bool,
        /// The scopes that the app may be granted at most
        #[arg(long, default_value = "chat:read chat:write identity")]
        scope: String,
    },
    /// List the operator's apps; removed ones stay for 30 days
    List,
    /// Give an app a new secret, and print it
    Rotate {
        /// The app's client_id
        client_id: String,
        /// How long earlier secrets still work, at most 90d; 0s ends them at once
        #[arg(long, default_value = "24h", value_parser = overlap)]
        overlap: Duration,
    },
    /// Remove an app, or a session's API key, with everything that it was granted
    Remove {
        /// The client_id of the app or key
        client_id: String,
    },
}

/// Parses a duration, or `0s`.
fn overlap(text: &str) -> Result<Duration, String> {
    if text == "0s" {
        Ok(Duration::ZERO)
    } else {
        duration(text)
    }
}
