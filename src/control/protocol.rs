//! The protocol of the control socket: questions and answers, each one line of JSON.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::table::Table;
use crate::{audit::Entry, config::Operation, oauth::apps::Issued, store::files};

/// A subcommand's question.
#[derive(Serialize, Deserialize)]
pub struct Question {
    /// The subcommand, with its arguments.
    pub operation: Operation,
    /// For a list, the id after which the page begins. 0 is the beginning of the list.
    pub after: i64,
}

/// The answer to a question. It has no `Debug`, because it may contain a secret.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    /// The work is done, and there is nothing to print.
    Done,
    /// The work failed. Carries the reason as a sentence.
    Failed(String),
    /// Nothing was done, for a reason that may pass. Carries it as a sentence. The caller may ask
    /// again.
    Again(String),
    /// Lines of the audit log.
    Audit(Vec<Entry>),
    /// The credentials of an app, which are shown only once.
    Credentials {
        /// The app's id.
        client_id: String,
        /// The app's secret. `None` for a public app.
        client_secret: Option<String>,
    },
    /// A page of a list.
    Listed {
        /// One table, or several for the parts of one thing.
        tables: Vec<Table>,
        /// The id after which the next page begins. `None` at the end of the list.
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
    /// The text to print. For people it is aligned lines; as JSON it is one object a line.
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
