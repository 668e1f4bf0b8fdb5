//! The server and the model side by side.

use std::{collections::BTreeMap, time::Duration};

use rusqlite::Connection;
use serde_json::json;

use super::{
    model::{Client, Grant, Model, Owner, Session, Token},
    steps::Step,
};
use crate::support::{
    App, Device, JsonAnswer, REDIRECT, TestServer, assert_integrity, rejoin, until,
};

mod check;

const PASSWORD: &str = "correct horse battery";
/// The operator's apps. The second is public.
pub const APPS: usize = 2;
/// The seconds that one step of time takes. An expiring key lives this long.
const PASS: i64 = 660;
const KEY_LIFE: i64 = 900;

pub struct World {
    server: TestServer,
    pub(super) model: Model,
    /// A resource server, which may introspect every token.
    pub(super) api: App,
    pub(super) story: Vec<String>,
}

impl World {
    pub async fn start() -> Self {
        let server = TestServer::with(&["--login-limit", "off"]).await;
        let api = server.app("api", &["--resource-server"]).await;
        let wiki = server
            .app("wiki", &["--bearer-alone", "--redirect-uri", REDIRECT])
            .await;
        let native = server
            .app(
                "native",
                &["--public", "--device", "--redirect-uri", REDIRECT],
            )
            .await;
        let owner = |app| Owner {
            app,
            session: None,
            until: None,
            manages: false,
            through: None,
            live: true,
        };
        let mut model = Model {
            owners: [wiki, native].map(owner).into(),
            ..Model::default()
        };
        model.told.insert("app_added", 3);
        Self {
            server,
            model,
            api,
            story: Vec::new(),
        }
    }

    pub async fn restart(&mut self) {
        self.server.restart().await;
    }

    /// One of the live browsers.
    fn browser(&self, which: usize) -> Option<usize> {
        let model = &self.model;
        let live = (0..model.clients.len())
            .filter(|c| model.clients[*c].live && model.clients[*c].device.is_some());
        let live = live.collect::<Vec<_>>();
        (!live.is_empty()).then(|| live[which % live.len()])
    }

    pub(super) fn device(&self, client: usize) -> Device {
        self.model.clients[client].device.clone().unwrap()
    }

    async fn admit(&mut self, session: usize, device: Device) {
        let id = device.snapshot().await["client"]["id"].as_i64().unwrap();
        self.model.clients.push(Client {
            session,
            device: Some(device),
            id,
            live: true,
            grant: None,
        });
        self.model.tell("client_created");
    }

    pub async fn step(&mut self, step: &Step) {
        self.story.push(format!("{step:?}"));
        match *step {
            Step::Create => {
                let nick = format!("n{}", self.model.sessions.len());
                let device = self.server.create_session(&nick).await;
                device.send(&format!("PASS :{PASSWORD}")).await;
                self.model.sessions.push(Session { nick, live: true });
                self.model.tell("session_created");
                self.model.tell("password_set");
                self.admit(self.model.sessions.len() - 1, device).await;
            }
            Step::Login(which) => {
                let Some(client) = self.browser(which) else {
                    return;
                };
                let session = self.model.clients[client].session;
                let nick = self.model.sessions[session].nick.clone();
                let device = self.server.login(&nick, PASSWORD).await;
                self.model.tell("login_ok");
                self.admit(session, device).await;
            }
            Step::Quit(which) => {
                let Some(client) = self.browser(which) else {
                    return;
                };
                self.device(client).send("QUIT").await;
                self.model.leave(client);
            }
            Step::Remove(by, which) => {
                let Some(by) = self.browser(by) else { return };
                let which = which % self.model.clients.len();
                let Client {
                    session, id, live, ..
                } = self.model.clients[which];
                let removed = self
                    .device(by)
                    .delete(&format!("/api/v1/clients/{id}"))
                    .await;
                let there = live && session == self.model.clients[by].session;
                assert_eq!(removed.is_ok(), there, "{:?}", self.story);
                if there {
                    self.model.leave(which);
                }
            }
            Step::RemoveOthers(by) => {
                let Some(by) = self.browser(by) else { return };
                self.device(by).delete("/api/v1/clients").await.unwrap();
                for other in 0..self.model.clients.len() {
                    if other != by
                        && self.model.clients[other].session == self.model.clients[by].session
                    {
                        self.model.leave(other);
                    }
                }
            }
            Step::EndSession(by) => {
                let Some(by) = self.browser(by) else { return };
                self.device(by).delete("/api/v1/session").await.unwrap();
                self.model.end_session(self.model.clients[by].session);
            }
            Step::IssueKey(by, expires, manages) => {
                let Some(by) = self.browser(by) else { return };
                let mut wanted = json!({"name": "bot", "scope": "chat:read"});
                if manages {
                    wanted["scope"] = json!("chat:read session:manage");
                    wanted["password"] = json!(PASSWORD);
                }
                if expires {
                    wanted["expires_in"] = json!(KEY_LIFE);
                }
                let app = self.device(by).create_key_with(wanted).await;
                let session = Some(self.model.clients[by].session);
                let until = expires.then_some(self.model.now + KEY_LIFE);
                self.model.owners.push(Owner {
                    app,
                    session,
                    until,
                    manages,
                    through: None,
                    live: true,
                });
                self.model.tell("key_issued");
            }
            Step::IssueKeyByBot(which) => {
                let may = |token: &&Token| {
                    self.model.works(token)
                        && self.model.owners[self.model.grants[token.grant].owner].manages
                };
                let bots = self.model.tokens.iter().filter(may).collect::<Vec<_>>();
                let Some(bot) = which.checked_rem(bots.len()).map(|which| bots[which]) else {
                    return;
                };
                let through = bot.grant;
                let session = Some(self.model.grants[through].session);
                let app = self
                    .api
                    .program
                    .with_token(&bot.access)
                    .create_key("chat:read")
                    .await;
                let (until, through) = (None, Some(through));
                self.model.owners.push(Owner {
                    app,
                    session,
                    until,
                    manages: false,
                    through,
                    live: true,
                });
                self.model.tell("key_issued");
            }
            Step::RotateKey(which) => {
                let Some((key, by)) = self.key(which) else {
                    return;
                };
                let path = format!(
                    "/api/v1/keys/{}/rotate",
                    self.model.owners[key].app.client_id
                );
                let rotated = self
                    .device(by)
                    .post(&path, json!({"overlap": 0, "password": PASSWORD}))
                    .await;
                assert_eq!(
                    rotated.is_ok(),
                    self.model.owners[key].live,
                    "{:?}",
                    self.story
                );
                if let Ok(answer) = rotated {
                    self.model.owners[key].app.secret =
                        answer["client_secret"].as_str().unwrap().to_owned();
                    self.model.tell("key_rotated");
                }
            }
            Step::RevokeKey(which) => {
                let Some((key, by)) = self.key(which) else {
                    return;
                };
                let path = format!("/api/v1/keys/{}", self.model.owners[key].app.client_id);
                let revoked = self.device(by).delete(&path).await;
                assert_eq!(
                    revoked.is_ok(),
                    self.model.owners[key].live,
                    "{:?}",
                    self.story
                );
                self.model.end_owner(key);
            }
            Step::KeyToken(which) => {
                let keys = self.model.owners.len() - APPS;
                if keys > 0 {
                    self.key_token(APPS + which % keys).await;
                }
            }
            Step::SignIn(by, owner, queue) => {
                let Some(by) = self.browser(by) else { return };
                self.sign_in(by, owner % APPS, queue).await;
            }
            Step::SignInSilently(by, owner) => {
                let Some(by) = self.browser(by) else { return };
                self.sign_in_silently(by, owner % APPS).await;
            }
            Step::Deny(by, owner) => {
                let Some(by) = self.browser(by) else { return };
                let Owner { ref app, live, .. } = self.model.owners[owner % APPS];
                let landing = self
                    .device(by)
                    .decide_consent(
                        &app.authorization_request("identity"),
                        &[("decision", "deny")],
                    )
                    .await;
                assert_eq!(
                    landing.status,
                    if live { 303 } else { 400 },
                    "{:?}",
                    self.story
                );
                if live {
                    assert_eq!(landing.error(), "access_denied");
                    self.model.tell("consent_denied");
                }
            }
            Step::Join(by, allowed) => {
                let Some(by) = self.browser(by) else { return };
                self.join(by, allowed).await;
            }
            Step::Refresh(which, used) => self.refresh(which, used).await,
            Step::Replay(which) => self.replay(which).await,
            Step::RevokeToken(which, refresh) => self.revoke_token(which, refresh).await,
            Step::RevokeGrant(by, which) => {
                let Some(by) = self.browser(by) else { return };
                let Some(grant) = which.checked_rem(self.model.grants.len()) else {
                    return;
                };
                let Grant {
                    id, session, live, ..
                } = self.model.grants[grant];
                let revoked = self
                    .device(by)
                    .delete(&format!("/api/v1/grants/{id}"))
                    .await;
                let there = live && session == self.model.clients[by].session;
                assert_eq!(revoked.is_ok(), there, "{:?}", self.story);
                if there {
                    self.model.end_grant(grant);
                }
            }
            Step::RevokeAsOperator(which) => {
                let Some(grant) = which.checked_rem(self.model.grants.len()) else {
                    return;
                };
                let done = self
                    .operate(&["revoke", &self.model.grants[grant].id.to_string()])
                    .await;
                assert_eq!(done, self.model.grants[grant].live, "{:?}", self.story);
                self.by_operator(done);
                self.model.end_grant(grant);
            }
            Step::EndAsOperator(which) => {
                let Some(session) = which.checked_rem(self.model.sessions.len()) else {
                    return;
                };
                let Session { ref nick, live } = self.model.sessions[session];
                assert_eq!(
                    self.operate(&["session", nick, "--end"]).await,
                    live,
                    "{:?}",
                    self.story
                );
                self.by_operator(live);
                self.model.end_session(session);
            }
            Step::RemoveApp(which) => {
                let owner = which % APPS;
                let done = self
                    .operate(&["app", "remove", &self.model.owners[owner].app.client_id])
                    .await;
                assert_eq!(done, self.model.owners[owner].live, "{:?}", self.story);
                self.model.end_owner(owner);
            }
            Step::Pass => {
                self.server
                    .advance(Duration::from_secs(PASS.unsigned_abs()));
                self.model.now += PASS;
                self.model.expire();
                let over = self.model.told.get("key_revoked").copied().unwrap_or(0);
                until("keys to expire", async || {
                    self.server.rows("audit WHERE action = 'key_revoked'") == over
                })
                .await;
            }
        }
    }
}
