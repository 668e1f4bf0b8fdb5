//! `rejoin restore`: the only subcommand that a running server cannot carry out.

use std::path::Path;

use serde_json::json;

use super::access::DatabaseAccess;
use crate::{
    config::Config,
    model::Timestamp,
    session::restore::{self, Ended},
    store::restore::Restored,
};

/// The refusal of a restore beside a running server.
pub const SERVER_IS_RUNNING: &str =
    "a server is running on the database: stop it, and then restore the copy";

/// Replaces the database with a copy, and returns the text to print. Fails with a sentence for the
/// operator if a server is running or the copy cannot be restored.
pub async fn restore(
    config: &Config,
    file: &Path,
    end_credentials: bool,
    force: bool,
    now: Timestamp,
) -> Result<String, String> {
    let lock = match DatabaseAccess::to(&config.database, "restore").await? {
        DatabaseAccess::Running(_) => return Err(SERVER_IS_RUNNING.into()),
        DatabaseAccess::Locked(lock) => lock,
    };
    let (file, limits, as_json) = (file.to_owned(), config.limits(), config.json);
    let restored = tokio::task::spawn_blocking(move || {
        let restored = restore::restore(&lock, &file, end_credentials, force, limits, now);
        restored
            .map(|restored| print(&restored, &file, as_json))
            .map_err(|error| error.detail)
    });
    restored.await.map_err(|error| error.to_string())?
}

fn print(restored: &Restored<Option<Ended>>, file: &Path, as_json: bool) -> String {
    let Restored {
        as_of,
        kept,
        change,
    } = restored;
    if as_json {
        let ended = change.map(|ended| {
            json!({"devices": ended.devices, "keys": ended.keys, "grants": ended.grants, "sessions": ended.sessions,
                   "sessions_waiting": ended.waiting})
        });
        return format!(
            "{}\n",
            json!({"restored": file, "as_of": as_of, "kept": kept, "ended": ended})
        );
    }
    let mut text = format!("{} is restored, as it was at {as_of}.\n", file.display());
    if let Some(kept) = kept {
        text += &format!("The previous database is kept as {}.\n", kept.display());
    }
    text += &match change {
        Some(Ended {
            waiting,
            sessions,
            devices,
            keys,
            grants,
        }) => format!(
            "Ended: {devices} devices, {keys} API keys and {grants} grants. {waiting} sessions \
             wait for their users to log in; \
             {sessions} without a password have ended.\n\
             The passwords and the operator's apps are those of the copy: rotate or remove the \
             apps that you rotated or removed since then.\n"
        ),
        None => "Devices, keys, tokens and passwords that were ended since then are valid again. \
            Every session is told. To end them all, restore the copy again with \
            --end-credentials.\n"
            .to_owned(),
    };
    text
}
