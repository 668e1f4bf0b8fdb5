//! The flows that issue tokens, each beside its effect on the model.

use serde_json::Value;

use super::{
    model::{Client, Grant, Owner, Token},
    world::{APPS, World},
};
use crate::{
    oauth::device_flow::{PendingDevice, decide},
    support::with_param,
};

impl World {
    pub(super) async fn key_token(&mut self, key: usize) {
        let Owner {
            ref app,
            session,
            live,
            until,
            ..
        } = self.model.owners[key];
        let (status, body) = app.try_token("").await;
        assert_eq!(
            status,
            if live { 200 } else { 401 },
            "{body} {:?}",
            self.story
        );
        if !live {
            return;
        }
        let standing = self
            .model
            .grants
            .iter()
            .position(|grant| grant.owner == key && grant.live);
        let grant = match standing {
            Some(grant) => grant,
            None => {
                self.model.tell("client_created");
                self.model.tell("grant_issued");
                self.begin(session.unwrap(), key, true, &body).await
            }
        };
        self.take(grant, &body, until);
    }

    /// Adds the grant that the resource server sees when it introspects the first token.
    pub(super) async fn begin(
        &mut self,
        session: usize,
        owner: usize,
        queue: bool,
        body: &Value,
    ) -> usize {
        let told = self
            .introspect(body["access_token"].as_str().unwrap())
            .await;
        let id = told["grant_id"]
            .as_i64()
            .unwrap_or_else(|| panic!("{told} {:?}", self.story));
        self.model.grants.push(Grant {
            id,
            session,
            owner,
            queue,
            client: None,
            live: true,
        });
        self.model.grants.len() - 1
    }

    pub(super) fn take(&mut self, grant: usize, body: &Value, limit: Option<i64>) {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let until = (self.model.now + 600).min(limit.unwrap_or(i64::MAX));
        let (access, refresh) = (text("access_token").unwrap(), text("refresh_token"));
        self.model.tokens.push(Token {
            grant,
            access,
            until,
            refresh,
            used: false,
            code: None,
            ended: false,
        });
    }

    pub(super) async fn introspect(&self, token: &str) -> Value {
        self.api
            .ask("/auth/introspect", &[("token", token)])
            .await
            .1
    }

    pub(super) async fn sign_in(&mut self, by: usize, owner: usize, queue: bool) {
        let (app, session) = (
            self.model.owners[owner].app.clone(),
            self.model.clients[by].session,
        );
        let scope = if queue { "chat:read" } else { "identity" };
        let landing = self
            .device(by)
            .approve(&app.authorization_request(scope), &[])
            .await;
        if !self.model.owners[owner].live {
            assert_eq!(landing.status, 400, "{:?}", self.story);
            return;
        }
        let code = landing.code();
        let (status, body) = app.redeem(&code).await;
        assert_eq!(status, 200, "{body} {:?}", self.story);
        self.model.tell("consent_given");
        // The grants of a confidential app are joined.
        let standing = self
            .model
            .given(session, owner)
            .find(|grant| self.model.grants[*grant].queue == queue);
        let mut began = false;
        let grant = match standing.filter(|_| owner == 0) {
            Some(grant) => {
                self.model.tell("grant_joined");
                grant
            }
            None => {
                began = true;
                self.model.tell("grant_issued");
                let grant = self.begin(session, owner, queue, &body).await;
                if queue {
                    self.admit_granted(grant, &body).await;
                }
                grant
            }
        };
        self.take(grant, &body, None);
        self.redeemed(code, owner, grant, began);
    }

    /// Notes that this code issued the newest token.
    fn redeemed(&mut self, code: String, owner: usize, grant: usize, began: bool) {
        self.model.tokens.last_mut().unwrap().code = Some(self.model.codes.len());
        self.model.codes.push((code, owner, grant, began));
    }

    /// The client of a new grant.
    pub(super) async fn admit_granted(&mut self, grant: usize, body: &Value) {
        let program = self
            .api
            .program
            .with_token(body["access_token"].as_str().unwrap());
        let id = program.snapshot().await["client"]["id"].as_i64().unwrap();
        let session = self.model.grants[grant].session;
        self.model.clients.push(Client {
            session,
            device: None,
            id,
            live: true,
            grant: Some(grant),
        });
        self.model.grants[grant].client = Some(self.model.clients.len() - 1);
        self.model.tell("client_created");
    }

    pub(super) async fn join(&mut self, by: usize, allowed: bool) {
        let owner = APPS - 1;
        let (status, body) = self.model.owners[owner]
            .app
            .ask("/auth/device", &[("scope", "chat:read")])
            .await;
        assert_eq!(
            status,
            if self.model.owners[owner].live {
                200
            } else {
                401
            },
            "{body} {:?}",
            self.story
        );
        if status == 401 {
            return;
        }
        let waiting = PendingDevice::shown(&self.model.owners[owner].app, &body);
        let decision = if allowed { "allow" } else { "deny" };
        let (status, page) = decide(&self.device(by), &waiting.code, decision).await;
        assert_eq!(status, 200, "{page} {:?}", self.story);
        if !allowed {
            self.model.tell("device_denied");
            assert_eq!(waiting.refusal().await, "access_denied", "{:?}", self.story);
            return;
        }
        self.model.tell("device_approved");
        self.model.tell("grant_issued");
        let body = waiting.tokens().await;
        let grant = self
            .begin(self.model.clients[by].session, owner, true, &body)
            .await;
        self.admit_granted(grant, &body).await;
        self.take(grant, &body, None);
    }

    pub(super) async fn sign_in_silently(&mut self, by: usize, owner: usize) {
        let (app, session) = (
            self.model.owners[owner].app.clone(),
            self.model.clients[by].session,
        );
        let asking = with_param(
            &app.authorization_request("identity"),
            "prompt",
            Some("none"),
        );
        let landing = self.device(by).open_authorization(&asking).await;
        if !self.model.owners[owner].live {
            assert_eq!(landing.status, 400, "{:?}", self.story);
            return;
        }
        let covering = self
            .model
            .given(session, owner)
            .rfind(|grant| !self.model.grants[*grant].queue);
        let Some(grant) = covering else {
            assert_eq!(landing.error(), "consent_required", "{:?}", self.story);
            return;
        };
        let code = landing.code();
        let (status, body) = app.redeem(&code).await;
        assert_eq!(status, 200, "{body} {:?}", self.story);
        self.model.tell("grant_joined");
        self.take(grant, &body, None);
        self.redeemed(code, owner, grant, false);
    }

    pub(super) async fn refresh(&mut self, which: usize, used: bool) {
        let tokens = &self.model.tokens;
        let refreshable =
            |token: &usize| tokens[*token].refresh.is_some() && tokens[*token].used == used;
        let all = (0..self.model.tokens.len())
            .filter(refreshable)
            .collect::<Vec<_>>();
        let Some(token) = which.checked_rem(all.len()).map(|which| all[which]) else {
            return;
        };
        let Token {
            grant,
            ref refresh,
            used,
            code,
            ended,
            ..
        } = self.model.tokens[token];
        let owner = self.model.grants[grant].owner;
        let (app, refresh) = (
            self.model.owners[owner].app.clone(),
            refresh.clone().unwrap(),
        );
        let (status, body) = app.refresh(&refresh, "").await;
        let error = match (
            self.model.owners[owner].live,
            self.model.grants[grant].live,
            used,
        ) {
            (false, _, _) => Some("invalid_client"),
            (true, false, _) => Some("invalid_grant"),
            _ if ended => Some("invalid_grant"),
            (true, true, true) => {
                self.model.tell("reuse_detected");
                self.model.end_grant(grant);
                Some("invalid_grant")
            }
            (true, true, false) => None,
        };
        assert_eq!(
            body["error"].as_str(),
            error,
            "{status} {body} {:?}",
            self.story
        );
        if error.is_none() {
            // No token of the pair was presented yet, so the answer may have been lost.
            let (_, again) = app.refresh(&refresh, "").await;
            let same = |name: &str| again[name] == body[name];
            assert!(
                same("access_token") && same("refresh_token"),
                "{body} {again} {:?}",
                self.story
            );
            self.model.tokens[token].used = true;
            self.model.tell("grant_refreshed");
            self.take(grant, &body, None);
            self.model.tokens.last_mut().unwrap().code = code;
        }
    }

    pub(super) async fn replay(&mut self, which: usize) {
        let Some(which) = which.checked_rem(self.model.codes.len()) else {
            return;
        };
        let (ref code, owner, grant, began) = self.model.codes[which];
        let (_, body) = self.model.owners[owner].app.redeem(code).await;
        let live = self.model.owners[owner].live;
        let error = if live {
            "invalid_grant"
        } else {
            "invalid_client"
        };
        assert_eq!(body["error"], error, "{:?}", self.story);
        if self.model.grants[grant].live {
            self.model.tell("reuse_detected");
            if began {
                self.model.end_grant(grant);
            }
            let descend = self
                .model
                .tokens
                .iter_mut()
                .filter(|token| token.code == Some(which));
            descend.for_each(|token| token.ended = true);
        }
    }

    pub(super) async fn revoke_token(&mut self, which: usize, refresh: bool) {
        let Some(which) = which.checked_rem(self.model.tokens.len()) else {
            return;
        };
        let token = &self.model.tokens[which];
        let (grant, text) = (
            token.grant,
            token
                .refresh
                .as_ref()
                .filter(|_| refresh)
                .unwrap_or(&token.access),
        );
        let owner = &self.model.owners[self.model.grants[grant].owner];
        let (status, body) = owner.app.ask("/auth/revoke", &[("token", text)]).await;
        assert_eq!(
            status,
            if owner.live { 200 } else { 401 },
            "{body} {:?}",
            self.story
        );
        // An access token that ended by itself is unknown.
        if !token.ended {
            self.model.end_grant(grant);
        }
    }
}
