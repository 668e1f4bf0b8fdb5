//! What is said on the control socket: a question and its answer, each one line of JSON.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::table::Table;
use crate::{audit::Entry, config::Operation, oauth::apps::Issued, store::engine::files};

/// What a subcommand asks.
#[derive(Serialize, Deserialize)]
pub struct Question {
    /// The subcommand, with its arguments.
    pub operation: Operation,
    /// In a list, the id after which to go on; 0 is the beginning.
    pub after: i64,
}

/// What it is answered. It has no `Debug`, because there may be a secret in it.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    /// It is done, and there is nothing to print.
    Done,
    /// It failed, for the reason in this sentence.
    Failed(String),
    /// Nothing was done, for the reason in this sentence, which may pass: ask again.
    Again(String),
    /// Lines of the audit log.
    Audit(Vec<Entry>),
    /// The credentials of an app. They are shown this once.
    Credentials {
        /// The app's id.
        client_id: String,
        /// The app's secret; a public app has none.
        client_secret: Option<String>,
    },
    /// A page of a list.
    Listed {
        /// One table, or several of one thing's parts.
        tables: Vec<Table>,
        /// The id after which to go on; `None` at the end.
        next: Option<i64>,
    },
}

impl From<Issued> for Answer {
    fn from(Issued { client_id, secret }: Issued) -> Self {
        Self::Credentials {
            client_id,
            client_secret: secret.map(|secret| secret.reveal().to_owned()),
        }
    }
}

impl Answer {
    /// The text to print: lines for people or, as JSON, one object a line.
    pub fn print(&self, as_json: bool) -> String {
        match self {
            Self::Done => String::new(),
            Self::Failed(why) | Self::Again(why) => why.clone(),
            Self::Audit(entries) if as_json => entries
                .iter()
                .map(|entry| format!("{}\n", json!(entry)))
                .collect(),
            Self::Audit(entries) => entries.iter().map(|entry| format!("{entry}\n")).collect(),
            Self::Credentials {
                client_id,
                client_secret,
            } if as_json => {
                format!(
                    "{}\n",
                    json!({"client_id": client_id, "client_secret": client_secret})
                )
            }
            Self::Credentials {
                client_id,
                client_secret,
            } => {
                let secret = client_secret
                    .iter()
                    .map(|secret| format!("client_secret={secret}\n"));
                format!("client_id={client_id}\n") + &secret.collect::<String>()
            }
            Self::Listed { tables, .. } if as_json => tables.iter().map(Table::json).collect(),
            Self::Listed { tables, .. } => {
                let tables = tables
                    .iter()
                    .map(Table::to_string)
                    .filter(|table| !table.is_empty());
                tables.collect::<Vec<_>>().join("\n")
            }
        }
    }
}

/// The path of a database's control socket.
pub fn socket_path(database: &Path) -> PathBuf {
    files::beside(&files::resolve(database), "sock")
}

/// Writes a value as one line of JSON. Fails if the other side is gone.
pub async fn write_line(
    to: &mut (impl AsyncWrite + Unpin),
    value: &impl Serialize,
) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    to.write_all(line.as_bytes()).await
}
