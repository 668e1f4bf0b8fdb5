//! The checks of the server against the model.

use super::*;

impl World {
    /// Runs an operator's subcommand. Returns whether it found its target.
    pub(super) async fn operate(&self, args: &[&str]) -> bool {
        rejoin(&self.server.database(), args).await.is_ok()
    }

    /// Counts the audit entry of the operator, which stands beside the entry of the end.
    pub(super) fn by_operator(&mut self, done: bool) {
        if done {
            self.model.tell("by_operator");
        }
    }

    /// A key, and a live browser of its session.
    pub(super) fn key(&self, which: usize) -> Option<(usize, usize)> {
        let key = APPS + which.checked_rem(self.model.owners.len() - APPS)?;
        let of_session = |c: &Client| {
            c.live && c.device.is_some() && Some(c.session) == self.model.owners[key].session
        };
        Some((key, self.model.clients.iter().position(of_session)?))
    }

    /// Every token works and is introspected as the model says, and every session has the clients
    /// of the model.
    pub async fn check(&self) {
        for token in &self.model.tokens {
            let works = self.model.works(token);
            let program = self.api.program.with_token(&token.access);
            let path = if self.model.grants[token.grant].queue {
                "/api/v1/session"
            } else {
                "/auth/userinfo"
            };
            let called = program.call(reqwest::Method::GET, path).await;
            assert_eq!(called.is_ok(), works, "{called:?} {:?}", self.story);
            let told = self.introspect(&token.access).await;
            assert_eq!(
                told == json!({"active": false}),
                !works,
                "{told} {:?}",
                self.story
            );
            if let Some(refresh) = &token.refresh {
                // A refresh token is active to its own app alone.
                assert_eq!(
                    self.introspect(refresh).await,
                    json!({"active": false}),
                    "{:?}",
                    self.story
                );
                let owner = &self.model.owners[self.model.grants[token.grant].owner];
                // An app without a secret cannot introspect.
                if owner.live && !owner.app.secret.is_empty() {
                    let told = owner
                        .app
                        .ask("/auth/introspect", &[("token", refresh)])
                        .await
                        .1;
                    let active = self.model.grants[token.grant].live && !token.used && !token.ended;
                    assert_eq!(
                        told == json!({"active": false}),
                        !active,
                        "{told} {:?}",
                        self.story
                    );
                }
            }
        }
        for client in self
            .model
            .clients
            .iter()
            .filter(|client| client.device.is_some())
        {
            let called = client
                .device
                .as_ref()
                .unwrap()
                .call(reqwest::Method::GET, "/api/v1/clients")
                .await;
            assert_eq!(called.is_ok(), client.live, "{called:?} {:?}", self.story);
            let Ok(listed) = called else { continue };
            let listed = listed
                .items()
                .iter()
                .map(|listed| listed["id"].as_i64().unwrap());
            let own = self
                .model
                .clients
                .iter()
                .filter(|other| other.live && other.session == client.session);
            assert_eq!(
                listed.collect::<Vec<_>>(),
                own.map(|own| own.id).collect::<Vec<_>>(),
                "{:?}",
                self.story
            );
        }
    }

    /// The database is sound, and the audit log has each action as often as the model.
    pub async fn check_audit(&self) {
        assert_integrity(&self.server.database());
        let database = Connection::open(self.server.database()).unwrap();
        let mut statement = database
            .prepare("SELECT action, count(*) FROM audit GROUP BY action")
            .unwrap();
        let told = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let told = told.collect::<Result<BTreeMap<String, i64>, _>>().unwrap();
        let expected = self
            .model
            .told
            .iter()
            .map(|(action, count)| ((*action).to_owned(), *count));
        assert_eq!(told, expected.collect(), "{:?}", self.story);
    }
}
