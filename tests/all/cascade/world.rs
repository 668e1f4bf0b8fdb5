//! The server and the model beside each other.

use std::{collections::BTreeMap, time::Duration};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{
    model::{Client, Grant, Model, Owner, Session, Token},
    steps::Step,
};
use crate::support::{App, Device, REDIRECT, TestServer, assert_sound, but, rejoin, until};

const PASSWORD: &str = "correct horse battery";
/// The operator's apps, the second of which is public.
const APPS: usize = 2;
/// Seconds that pass at once, and after which an expiring key does.
const PASS: i64 = 660;
const KEY_LIFE: i64 = 900;

pub struct World {
    server: TestServer,
    model: Model,
    /// A resource server, which may ask for everything.
    api: App,
    story: Vec<String>,
}

impl World {
    pub async fn start() -> Self {
        let server = TestServer::with(&["--login-limit", "off"]).await;
        let api = server.app("api", &["--resource-server"]).await;
        let wiki = server.app("wiki", &["--bearer-alone", "--redirect-uri", REDIRECT]).await;
        let native = server.app("native", &["--public", "--redirect-uri", REDIRECT]).await;
        let owner = |app| Owner { app, session: None, until: None, live: true };
        let mut model = Model { owners: [wiki, native].map(owner).into(), ..Model::default() };
        model.told.insert("app_added", 3);
        Self { server, model, api, story: Vec::new() }
    }

    pub async fn restart(&mut self) {
        self.server.restart().await;
    }

    /// A live browser of those there are.
    fn browser(&self, which: usize) -> Option<usize> {
        let model = &self.model;
        let live = (0..model.clients.len()).filter(|c| model.clients[*c].live && model.clients[*c].device.is_some());
        let live = live.collect::<Vec<_>>();
        (!live.is_empty()).then(|| live[which % live.len()])
    }

    fn device(&self, client: usize) -> Device {
        self.model.clients[client].device.clone().unwrap()
    }

    async fn admit(&mut self, session: usize, device: Device) {
        let id = device.snapshot().await["client"]["id"].as_i64().unwrap();
        self.model.clients.push(Client { session, device: Some(device), id, live: true, grant: None });
        self.model.tell("client_created");
    }

    pub async fn step(&mut self, step: &Step) {
        self.story.push(format!("{step:?}"));
        match *step {
            Step::Create => {
                let nick = format!("n{}", self.model.sessions.len());
                let device = self.server.pick(&nick).await;
                device.send(&format!("PASS :{PASSWORD}")).await;
                self.model.sessions.push(Session { nick, live: true });
                self.model.tell("session_created");
                self.model.tell("password_set");
                self.admit(self.model.sessions.len() - 1, device).await;
            }
            Step::Login(which) => {
                let Some(client) = self.browser(which) else { return };
                let session = self.model.clients[client].session;
                let nick = self.model.sessions[session].nick.clone();
                let device = self.server.login(&nick, PASSWORD).await;
                self.model.tell("login_ok");
                self.admit(session, device).await;
            }
            Step::Quit(which) => {
                let Some(client) = self.browser(which) else { return };
                self.device(client).send("QUIT").await;
                self.model.leave(client);
            }
            Step::Remove(by, which) => {
                let Some(by) = self.browser(by) else { return };
                let which = which % self.model.clients.len();
                let Client { session, id, live, .. } = self.model.clients[which];
                let removed = self.device(by).delete(&format!("/api/v1/clients/{id}")).await;
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
                    if other != by && self.model.clients[other].session == self.model.clients[by].session {
                        self.model.leave(other);
                    }
                }
            }
            Step::EndSession(by) => {
                let Some(by) = self.browser(by) else { return };
                self.device(by).delete("/api/v1/session").await.unwrap();
                self.model.end_session(self.model.clients[by].session);
            }
            Step::IssueKey(by, expires) => {
                let Some(by) = self.browser(by) else { return };
                let mut wanted = json!({"name": "bot", "scope": "chat:read"});
                if expires {
                    wanted["expires_in"] = json!(KEY_LIFE);
                }
                let app = self.device(by).key_of(wanted).await;
                let session = Some(self.model.clients[by].session);
                let until = expires.then_some(self.model.now + KEY_LIFE);
                self.model.owners.push(Owner { app, session, until, live: true });
                self.model.tell("key_issued");
            }
            Step::RotateKey(which) => {
                let Some((key, by)) = self.key(which) else { return };
                let path = format!("/api/v1/keys/{}/rotate", self.model.owners[key].app.client_id);
                let rotated = self.device(by).post(&path, json!({"overlap": 0})).await;
                assert_eq!(rotated.is_ok(), self.model.owners[key].live, "{:?}", self.story);
                if let Ok(answer) = rotated {
                    self.model.owners[key].app.secret = answer["client_secret"].as_str().unwrap().to_owned();
                    self.model.tell("key_rotated");
                }
            }
            Step::RevokeKey(which) => {
                let Some((key, by)) = self.key(which) else { return };
                let path = format!("/api/v1/keys/{}", self.model.owners[key].app.client_id);
                let revoked = self.device(by).delete(&path).await;
                assert_eq!(revoked.is_ok(), self.model.owners[key].live, "{:?}", self.story);
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
            Step::Refresh(which) => self.refresh(which).await,
            Step::Replay(which) => self.replay(which).await,
            Step::RevokeToken(which, refresh) => self.revoke_token(which, refresh).await,
            Step::RevokeGrant(by, which) => {
                let Some(by) = self.browser(by) else { return };
                let Some(grant) = which.checked_rem(self.model.grants.len()) else { return };
                let Grant { id, session, live, .. } = self.model.grants[grant];
                let revoked = self.device(by).delete(&format!("/api/v1/grants/{id}")).await;
                let there = live && session == self.model.clients[by].session;
                assert_eq!(revoked.is_ok(), there, "{:?}", self.story);
                if there {
                    self.model.end_grant(grant);
                }
            }
            Step::RevokeAsOperator(which) => {
                let Some(grant) = which.checked_rem(self.model.grants.len()) else { return };
                let done = self.operate(&["revoke", &self.model.grants[grant].id.to_string()]).await;
                assert_eq!(done, self.model.grants[grant].live, "{:?}", self.story);
                self.by_operator(done);
                self.model.end_grant(grant);
            }
            Step::EndAsOperator(which) => {
                let Some(session) = which.checked_rem(self.model.sessions.len()) else { return };
                let Session { ref nick, live } = self.model.sessions[session];
                assert_eq!(self.operate(&["session", nick, "--end"]).await, live, "{:?}", self.story);
                self.by_operator(live);
                self.model.end_session(session);
            }
            Step::RemoveApp(which) => {
                let owner = which % APPS;
                let done = self.operate(&["app", "remove", &self.model.owners[owner].app.client_id]).await;
                assert_eq!(done, self.model.owners[owner].live, "{:?}", self.story);
                self.model.end_owner(owner);
            }
            Step::Pass => {
                self.server.pass(Duration::from_secs(PASS.unsigned_abs()));
                self.model.now += PASS;
                self.model.expire();
                let over = self.model.told.get("key_revoked").copied().unwrap_or(0);
                until("keys to expire", async || self.server.rows("audit WHERE action = 'key_revoked'") == over).await;
            }
        }
    }

    /// What an operator does, and whether there was anything to do it to.
    async fn operate(&self, args: &[&str]) -> bool {
        rejoin(&self.server.database(), args).await.is_ok()
    }

    /// What the operator ends is told of beside its end.
    fn by_operator(&mut self, done: bool) {
        if done {
            self.model.tell("by_operator");
        }
    }

    /// A key, and a live browser of its session.
    fn key(&self, which: usize) -> Option<(usize, usize)> {
        let key = APPS + which.checked_rem(self.model.owners.len() - APPS)?;
        let of_session = |c: &Client| c.live && c.device.is_some() && Some(c.session) == self.model.owners[key].session;
        Some((key, self.model.clients.iter().position(of_session)?))
    }

    async fn key_token(&mut self, key: usize) {
        let Owner { ref app, session, live, until } = self.model.owners[key];
        let (status, body) = app.try_token("").await;
        assert_eq!(status, if live { 200 } else { 401 }, "{body} {:?}", self.story);
        if !live {
            return;
        }
        let standing = self.model.grants.iter().position(|grant| grant.owner == key && grant.live);
        let grant = match standing {
            Some(grant) => grant,
            None => {
                self.model.tell("client_created");
                self.model.tell("grant_issued");
                self.begin(session.unwrap(), key, true, None, &body).await
            }
        };
        self.take(grant, &body, until);
    }

    /// A grant as the resource server is told of it by its first token.
    async fn begin(&mut self, session: usize, owner: usize, queue: bool, client: Option<usize>, body: &Value) -> usize {
        let told = self.introspect(body["access_token"].as_str().unwrap()).await;
        let id = told["grant_id"].as_i64().unwrap_or_else(|| panic!("{told} {:?}", self.story));
        self.model.grants.push(Grant { id, session, owner, queue, client, live: true });
        self.model.grants.len() - 1
    }

    fn take(&mut self, grant: usize, body: &Value, limit: Option<i64>) {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let until = (self.model.now + 600).min(limit.unwrap_or(i64::MAX));
        let (access, refresh) = (text("access_token").unwrap(), text("refresh_token"));
        self.model.tokens.push(Token { grant, access, until, refresh, used: false });
    }

    async fn introspect(&self, token: &str) -> Value {
        self.api.ask("/auth/introspect", &[("token", token)]).await.1
    }

    async fn sign_in(&mut self, by: usize, owner: usize, queue: bool) {
        let (app, session) = (self.model.owners[owner].app.clone(), self.model.clients[by].session);
        let scope = if queue { "chat:read" } else { "identity" };
        let landing = self.device(by).allows(&app.asking(scope), &[]).await;
        if !self.model.owners[owner].live {
            assert_eq!(landing.status, 400, "{:?}", self.story);
            return;
        }
        let code = landing.code();
        let (status, body) = app.redeem(&code).await;
        assert_eq!(status, 200, "{body} {:?}", self.story);
        self.model.tell("consent_given");
        // An app that keeps a secret is in one place.
        let standing = self.model.given(session, owner).find(|grant| self.model.grants[*grant].queue == queue);
        let grant = match standing.filter(|_| owner == 0) {
            Some(grant) => {
                self.model.tell("grant_refreshed");
                grant
            }
            None => {
                self.model.tell("grant_issued");
                let grant = self.begin(session, owner, queue, None, &body).await;
                if queue {
                    let program = self.device(by).with_token(body["access_token"].as_str().unwrap());
                    let id = program.snapshot().await["client"]["id"].as_i64().unwrap();
                    self.model.clients.push(Client { session, device: None, id, live: true, grant: Some(grant) });
                    self.model.grants[grant].client = Some(self.model.clients.len() - 1);
                    self.model.tell("client_created");
                }
                grant
            }
        };
        self.take(grant, &body, None);
        self.model.codes.push((code, owner, grant));
    }

    async fn sign_in_silently(&mut self, by: usize, owner: usize) {
        let (app, session) = (self.model.owners[owner].app.clone(), self.model.clients[by].session);
        let asking = but(&app.asking("identity"), "prompt", Some("none"));
        let landing = self.device(by).is_sent(&asking).await;
        if !self.model.owners[owner].live {
            assert_eq!(landing.status, 400, "{:?}", self.story);
            return;
        }
        let covering = self.model.given(session, owner).rfind(|grant| !self.model.grants[*grant].queue);
        let Some(grant) = covering else {
            assert_eq!(landing.error(), "consent_required", "{:?}", self.story);
            return;
        };
        let code = landing.code();
        let (status, body) = app.redeem(&code).await;
        assert_eq!(status, 200, "{body} {:?}", self.story);
        self.model.tell("grant_refreshed");
        self.take(grant, &body, None);
        self.model.codes.push((code, owner, grant));
    }

    async fn refresh(&mut self, which: usize) {
        let refreshable = |token: &usize| self.model.tokens[*token].refresh.is_some();
        let all = (0..self.model.tokens.len()).filter(refreshable).collect::<Vec<_>>();
        let Some(token) = which.checked_rem(all.len()).map(|which| all[which]) else { return };
        let Token { grant, ref refresh, used, .. } = self.model.tokens[token];
        let owner = self.model.grants[grant].owner;
        let (status, body) = self.model.owners[owner].app.refresh(refresh.as_ref().unwrap(), "").await;
        let error = match (self.model.owners[owner].live, self.model.grants[grant].live, used) {
            (false, _, _) => Some("invalid_client"),
            (true, false, _) => Some("invalid_grant"),
            (true, true, true) => {
                self.model.tell("reuse_detected");
                self.model.end_grant(grant);
                Some("invalid_grant")
            }
            (true, true, false) => None,
        };
        assert_eq!(body["error"].as_str(), error, "{status} {body} {:?}", self.story);
        if error.is_none() {
            self.model.tokens[token].used = true;
            self.model.tell("grant_refreshed");
            self.take(grant, &body, None);
        }
    }

    async fn replay(&mut self, which: usize) {
        let Some(which) = which.checked_rem(self.model.codes.len()) else { return };
        let (ref code, owner, grant) = self.model.codes[which];
        let (_, body) = self.model.owners[owner].app.redeem(code).await;
        let live = self.model.owners[owner].live;
        let error = if live { "invalid_grant" } else { "invalid_client" };
        assert_eq!(body["error"], error, "{:?}", self.story);
        if self.model.grants[grant].live {
            self.model.tell("reuse_detected");
            self.model.end_grant(grant);
        }
    }

    async fn revoke_token(&mut self, which: usize, refresh: bool) {
        let Some(which) = which.checked_rem(self.model.tokens.len()) else { return };
        let token = &self.model.tokens[which];
        let (grant, text) = (token.grant, token.refresh.as_ref().filter(|_| refresh).unwrap_or(&token.access));
        let owner = &self.model.owners[self.model.grants[grant].owner];
        let (status, body) = owner.app.ask("/auth/revoke", &[("token", text)]).await;
        assert_eq!(status, if owner.live { 200 } else { 401 }, "{body} {:?}", self.story);
        self.model.end_grant(grant);
    }

    /// Every token does what the model says, and is told to be what it says; every session has the clients it should.
    pub async fn check(&self) {
        for token in &self.model.tokens {
            let works = self.model.works(token);
            let program = self.api.program.with_token(&token.access);
            let path = if self.model.grants[token.grant].queue { "/api/v1/session" } else { "/auth/userinfo" };
            let called = program.call(reqwest::Method::GET, path).await;
            assert_eq!(called.is_ok(), works, "{called:?} {:?}", self.story);
            let told = self.introspect(&token.access).await;
            assert_eq!(told == json!({"active": false}), !works, "{told} {:?}", self.story);
            if let Some(refresh) = &token.refresh {
                let told = self.introspect(refresh).await;
                let active = self.model.grants[token.grant].live && !token.used;
                assert_eq!(told == json!({"active": false}), !active, "{told} {:?}", self.story);
            }
        }
        for client in self.model.clients.iter().filter(|client| client.device.is_some()) {
            let called = client.device.as_ref().unwrap().call(reqwest::Method::GET, "/api/v1/clients").await;
            assert_eq!(called.is_ok(), client.live, "{called:?} {:?}", self.story);
            let Ok(listed) = called else { continue };
            let listed = listed.as_array().unwrap().iter().map(|listed| listed["id"].as_i64().unwrap());
            let own = self.model.clients.iter().filter(|other| other.live && other.session == client.session);
            assert_eq!(listed.collect::<Vec<_>>(), own.map(|own| own.id).collect::<Vec<_>>(), "{:?}", self.story);
        }
    }

    /// The database is sound, and the audit log tells of what happened as often as it did.
    pub async fn check_audit(&self) {
        assert_sound(&self.server.database());
        let database = Connection::open(self.server.database()).unwrap();
        let mut statement = database.prepare("SELECT action, count(*) FROM audit GROUP BY action").unwrap();
        let told = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let told = told.collect::<Result<BTreeMap<String, i64>, _>>().unwrap();
        let expected = self.model.told.iter().map(|(action, count)| ((*action).to_owned(), *count));
        assert_eq!(told, expected.collect(), "{:?}", self.story);
    }
}
