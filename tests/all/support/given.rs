//! Apps of the operator's and what sessions gave them, written into the database as the command line and the flows would.

use std::path::Path;

use rusqlite::{Connection, params};
use serde_json::Value;

use super::{App, Device, TestServer};

/// Registers an app of the operator's, with flags as the command line has them.
pub fn register(database: &Path, program: Device, name: &str, flags: &[&str]) -> App {
    let database = open(database);
    let (client_id, secret) = (format!("app_{name}"), format!("rjk_secret of {name}"));
    let flag = |name: &str| flags.contains(&name);
    let insert = "INSERT INTO app (client_id, name, public, resource_server, bearer_alone, scope, created_at)
                  VALUES (?1, ?2, ?3, ?4, ?5, 'chat:read chat:write identity session:manage', 0)";
    let flags = (flag("--public"), flag("--resource-server"), flag("--bearer-alone"));
    database.execute(insert, params![client_id, name, flags.0, flags.1, flags.2]).unwrap();
    if flags.0 {
        return App { program, client_id, secret: String::new() };
    }
    let (app, hash) = (database.last_insert_rowid(), rejoin::secret::sha256(secret.as_bytes()));
    let insert = "INSERT INTO app_secret (app_id, secret_hash, created_at) VALUES (?1, ?2, 0)";
    database.execute(insert, params![app, hash]).unwrap();
    App { program, client_id, secret }
}

/// Lets the session with this nick give an app a grant, with a client if the scope needs one; the refresh token. No server
/// may be running.
pub fn give(database: &Path, app: &App, nick: &str, scope: &str) -> String {
    let mut database = open(database);
    let tx = database.transaction().unwrap();
    let number = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    let now = number("SELECT max(time) FROM audit");
    let session = number(&format!("SELECT id FROM session WHERE nick = '{nick}' AND ended_at IS NULL"));
    let app_id = number(&format!("SELECT id FROM app WHERE client_id = '{}'", app.client_id));
    let insert = "INSERT INTO app_grant (session_id, app_id, scope, created_at, expires_at)
                  VALUES (?1, ?2, ?3, ?4, ?4 + 30 * 86400000)";
    tx.execute(insert, params![session, app_id, scope, now]).unwrap();
    let grant = tx.last_insert_rowid();
    let recorded = "INSERT INTO audit (time, action, session_id, client_id, app) VALUES (?1, ?2, ?3, ?4, ?5)";
    tx.execute(recorded, params![now, "grant_issued", session, None::<i64>, app.client_id]).unwrap();
    if scope != "identity" {
        let insert = "INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at, grant_id)
                      SELECT ?1, 'app', randomblob(32), head, head, ?2, ?2, ?2 + 180 * 86400000, ?3
                      FROM (SELECT ifnull(max(id), 0) AS head FROM event)";
        tx.execute(insert, params![session, now, grant]).unwrap();
        let client = tx.last_insert_rowid();
        tx.execute(recorded, params![now, "client_created", session, client, None::<String>]).unwrap();
    }
    let refresh = format!("rjr_of grant {grant}");
    let hash = rejoin::secret::sha256(refresh.as_bytes());
    let insert = "INSERT INTO token (secret_hash, grant_id, kind, scope, created_at, expires_at, limit_at)
                  VALUES (?1, ?2, 'refresh', ?3, ?4, ?4 + 30 * 86400000, ?4 + 180 * 86400000)";
    tx.execute(insert, params![hash, grant, scope, now]).unwrap();
    tx.commit().unwrap();
    refresh
}

fn open(database: &Path) -> Connection {
    let database = Connection::open(database).unwrap();
    database.pragma_update(None, "synchronous", "off").unwrap();
    database
}

impl TestServer {
    /// An app of the operator's.
    pub fn app(&self, name: &str, flags: &[&str]) -> App {
        register(&self.database(), self.device(), name, flags)
    }

    /// Lets a session give an app a grant; the refresh token.
    pub async fn give(&mut self, app: &App, nick: &str, scope: &str) -> String {
        self.stop().await;
        let refresh = give(&self.database(), app, nick, scope);
        self.run().await;
        refresh
    }

    /// The same, and the app's user with a first access token.
    pub async fn user_of(&mut self, app: &App, nick: &str, scope: &str) -> Device {
        let refresh = self.give(app, nick, scope).await;
        app.refreshed(&refresh).await.0
    }
}

impl App {
    /// Presents a refresh token, and asks for a scope, or for none in particular if that is empty.
    pub async fn refresh(&self, token: &str, scope: &str) -> (u16, Value) {
        self.ask("/auth/token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)]).await
    }

    /// A program that calls with the new access token, and the new refresh token.
    pub async fn refreshed(&self, token: &str) -> (Device, String) {
        let (status, body) = self.refresh(token, "").await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (self.program.with_token(&text("access_token")), text("refresh_token"))
    }

    /// The id of the grant that a program's token is of.
    pub async fn grant_of(&self, program: &Device) -> i64 {
        self.introspect(program).await["grant_id"].as_i64().unwrap()
    }
}
