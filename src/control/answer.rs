//! What a running server is asked, what it answers, and how that is printed.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table::Table;
use crate::{
    audit::Entry,
    chat::Chat,
    config::{OnApps, Operation},
    error::Result,
    model::{AppId, RedirectUri, Scopes, Timestamp},
    oauth::apps::{self, Issued, Wanted},
    store::app::App,
};

/// Rows of a list in one answer.
const PAGE: usize = 500;

#[derive(Serialize, Deserialize)]
pub struct Question {
    pub operation: Operation,
    /// Of a list: the id after which to go on.
    pub after: i64,
}

/// It has no `Debug`, because there may be a secret in it.
#[derive(Serialize, Deserialize)]
pub enum Answer {
    Done,
    Failed(String),
    Audit(Vec<Entry>),
    /// What an app proves itself with, shown this once; a public one has no secret.
    Credentials {
        client_id: String,
        client_secret: Option<String>,
    },
    /// A page of a list, and the id after which to go on, if that may not be all.
    Listed {
        tables: Vec<Table>,
        next: Option<i64>,
    },
}

/// Does what is asked.
pub async fn answer(chat: &Chat, question: Question, now: Timestamp) -> Answer {
    let Question { operation, after } = question;
    let result = match operation {
        Operation::Backup { file } => chat.backup(file).await.map(|()| Answer::Done),
        Operation::Audit { before, limit } => chat.audit(before, limit).await.map(Answer::Audit),
        Operation::App(operation) => on_apps(chat, operation, after, now).await,
    };
    result.unwrap_or_else(|error| Answer::Failed(error.detail))
}

async fn on_apps(chat: &Chat, operation: OnApps, after: i64, now: Timestamp) -> Result<Answer> {
    Ok(match operation {
        OnApps::Add { name, public, redirect_uris, resource_server, bearer_alone, scope } => {
            let redirect_uris = redirect_uris.iter().map(|uri| RedirectUri::parse(uri)).collect::<Result<_>>()?;
            let scope = scope.map_or(Ok(Scopes::ALL), |scope| Scopes::parse(&scope))?;
            let wanted = Wanted { name, public, resource_server, bearer_alone, redirect_uris, scope };
            apps::register(chat, wanted, now).await?.into()
        }
        OnApps::List => {
            let apps = apps::list(chat, AppId(after), PAGE).await?;
            let next = next(&apps, |(app, _)| app.id.0);
            Answer::Listed { tables: vec![table_of_apps(apps)], next }
        }
        OnApps::Rotate { client_id, overlap } => apps::rotate(chat, client_id, overlap, now).await?.into(),
        OnApps::Remove { client_id } => {
            apps::remove(chat, client_id, now).await?;
            Answer::Done
        }
    })
}

/// After a full page: the id of its last row.
fn next<T>(page: &[T], id: impl Fn(&T) -> i64) -> Option<i64> {
    page.last().filter(|_| page.len() == PAGE).map(id)
}

fn table_of_apps(apps: Vec<(App, i64)>) -> Table {
    let names = ["client_id", "type", "grants", "created_at", "ended_at", "tried", "scope", "name", "redirect_uris"];
    let row = |(app, grants): (App, i64)| {
        let kind = kind(&app);
        let App { client_id, created_at, ended_at, tried, scope, name, redirect_uris, .. } = app;
        [
            json!(client_id),
            kind,
            json!(grants),
            json!(created_at),
            json!(ended_at),
            json!(tried),
            json!(scope.to_string()),
            json!(name),
            json!(redirect_uris),
        ]
    };
    Table::new(names, apps.into_iter().map(row))
}

/// What sort of app it is, in the words of the flags that made it.
fn kind(app: &App) -> Value {
    let words = [(app.public, "public"), (app.resource_server, "resource-server"), (app.bearer_alone, "bearer-alone")];
    words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect()
}

impl From<Issued> for Answer {
    fn from(Issued { client_id, secret }: Issued) -> Self {
        Self::Credentials { client_id, client_secret: secret.map(|secret| secret.reveal().to_owned()) }
    }
}

impl Answer {
    /// What to print: lines for people, or, as JSON, an object a line.
    pub fn print(&self, as_json: bool) -> String {
        match self {
            Self::Done => String::new(),
            Self::Failed(why) => why.clone(),
            Self::Audit(entries) if as_json => entries.iter().map(|entry| format!("{}\n", json!(entry))).collect(),
            Self::Audit(entries) => entries.iter().map(|entry| format!("{entry}\n")).collect(),
            Self::Credentials { client_id, client_secret } if as_json => {
                format!("{}\n", json!({"client_id": client_id, "client_secret": client_secret}))
            }
            Self::Credentials { client_id, client_secret } => {
                let secret = client_secret.iter().map(|secret| format!("client_secret={secret}\n"));
                format!("client_id={client_id}\n") + &secret.collect::<String>()
            }
            Self::Listed { tables, .. } if as_json => tables.iter().map(Table::json).collect(),
            Self::Listed { tables, .. } => {
                let tables = tables.iter().map(Table::to_string).filter(|table| !table.is_empty());
                tables.collect::<Vec<_>>().join("\n")
            }
        }
    }
}
