//! The model: sessions, apps, grants and tokens, and what ends with what. Everything keeps its
//! number after its end.

use std::collections::BTreeMap;

use crate::support::{App, Device};

pub struct Session {
    pub nick: String,
    pub live: bool,
}

/// A client that counts: a browser's, or one of a grant.
pub struct Client {
    pub session: usize,
    /// `None`: the secret is lost.
    pub device: Option<Device>,
    pub id: i64,
    pub live: bool,
    pub grant: Option<usize>,
}

/// An app. The first ones are the operator's, the others are API keys.
pub struct Owner {
    pub app: App,
    /// The session of an API key.
    pub session: Option<usize>,
    /// When it expires, in seconds.
    pub until: Option<i64>,
    /// Whether it has `session:manage`.
    pub manages: bool,
    /// The grant through which it was created.
    pub through: Option<usize>,
    pub live: bool,
}

pub struct Grant {
    pub id: i64,
    pub session: usize,
    pub owner: usize,
    pub queue: bool,
    pub client: Option<usize>,
    pub live: bool,
}

pub struct Token {
    pub grant: usize,
    pub access: String,
    /// In seconds.
    pub until: i64,
    pub refresh: Option<String>,
    pub used: bool,
    /// The code that it was issued for, directly or through refreshes.
    pub code: Option<usize>,
    /// Whether the token ended while its grant did not.
    pub ended: bool,
}

#[derive(Default)]
pub struct Model {
    pub now: i64,
    pub sessions: Vec<Session>,
    pub clients: Vec<Client>,
    pub owners: Vec<Owner>,
    pub grants: Vec<Grant>,
    pub tokens: Vec<Token>,
    /// Used codes, each with its app, its grant, and whether it made the grant.
    pub codes: Vec<(String, usize, usize, bool)>,
    /// How many entries of each action the audit log has.
    pub told: BTreeMap<&'static str, i64>,
}

impl Model {
    pub fn tell(&mut self, action: &'static str) {
        *self.told.entry(action).or_default() += 1;
    }

    /// Ends the keys that have expired.
    pub fn expire(&mut self) {
        for owner in 0..self.owners.len() {
            if self.owners[owner]
                .until
                .is_some_and(|until| self.now >= until)
            {
                self.end_owner(owner);
            }
        }
    }

    pub fn leave(&mut self, client: usize) {
        if !std::mem::take(&mut self.clients[client].live) {
            return;
        }
        self.tell("client_left");
        if let Some(grant) = self.clients[client].grant {
            self.end_grant(grant);
        }
        let session = self.clients[client].session;
        if !self
            .clients
            .iter()
            .any(|other| other.live && other.session == session)
        {
            self.end_session(session);
        }
    }

    pub fn end_session(&mut self, session: usize) {
        if !std::mem::take(&mut self.sessions[session].live) {
            return;
        }
        self.tell("session_ended");
        for client in 0..self.clients.len() {
            if self.clients[client].session == session {
                self.leave(client);
            }
        }
        for grant in 0..self.grants.len() {
            if self.grants[grant].session == session {
                self.end_grant(grant);
            }
        }
        for owner in 0..self.owners.len() {
            if self.owners[owner].session == Some(session) {
                self.end_owner(owner);
            }
        }
    }

    pub fn end_grant(&mut self, grant: usize) {
        if !std::mem::take(&mut self.grants[grant].live) {
            return;
        }
        self.tell("grant_revoked");
        for owner in 0..self.owners.len() {
            if self.owners[owner].through == Some(grant) {
                self.end_owner(owner);
            }
        }
        match self.grants[grant].client {
            Some(client) => self.leave(client),
            // A key's bot is not a device, so its end does not end the session.
            None if self.owners[self.grants[grant].owner].session.is_some() => {
                self.tell("client_left")
            }
            None => {}
        }
    }

    pub fn end_owner(&mut self, owner: usize) {
        if !std::mem::take(&mut self.owners[owner].live) {
            return;
        }
        let key = self.owners[owner].session.is_some();
        self.tell(if key { "key_revoked" } else { "app_removed" });
        for grant in 0..self.grants.len() {
            if self.grants[grant].owner == owner {
                self.end_grant(grant);
            }
        }
    }

    /// Whether an access token works.
    pub fn works(&self, token: &Token) -> bool {
        self.grants[token.grant].live && !token.ended && self.now < token.until
    }

    /// The live grants of a session to an app, oldest first.
    pub fn given(&self, session: usize, owner: usize) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.grants.len()).filter(move |grant| {
            let grant = &self.grants[*grant];
            grant.live && grant.session == session && grant.owner == owner
        })
    }
}
