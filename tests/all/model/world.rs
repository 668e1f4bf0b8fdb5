//! The server, the devices and the model side by side. Both carry out each step, and their answers
//! are compared.

use std::{collections::HashMap, time::Duration};

use proptest::{prelude::*, test_runner::TestCaseResult};
use rejoin::{
    error::Code,
    model::{EndReason, SERVER_NAME},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    state::{Answer, Event, Key, Model},
    steps::{Act, Deed, From, Leave, Step, nick, position},
    view::View,
};
use crate::support::{Device, JsonAnswer, Message, Page, Problem, Stream, TestServer, read};

mod answers;

pub type Check = TestCaseResult;

const PASSWORD: &str = "correct horse battery";
const MAX_CLIENTS: usize = 4;
/// Fewer than the three channels of a case, so that cases reach the limit.
const MAX_CHANNELS: usize = 2;

pub struct World {
    pub server: TestServer,
    pub model: Model,
    /// One for each client of the model.
    pub hands: Vec<Hand>,
    /// A session without channels, which reads the log's position.
    witness: Device,
    /// The time of each event, as the first device received it.
    times: HashMap<i64, String>,
    pub listeners: Vec<Listener>,
    steps: usize,
    pub story: Vec<String>,
}

/// A device and its last answers.
pub struct Hand {
    pub device: Device,
    /// Where its last poll ended.
    pub next: i64,
    /// Its last snapshot, and the snapshot's cursor.
    view: Option<(View, i64)>,
    /// Its last labelled command and the answer.
    labelled: Option<(String, Value)>,
}

/// A stream: its client, and the position where it began.
pub struct Listener {
    pub client: usize,
    pub after: i64,
    pub stream: Stream,
}

impl World {
    pub async fn start() -> Self {
        let (clients, channels) = (MAX_CLIENTS.to_string(), MAX_CHANNELS.to_string());
        let args = [
            "--login-limit",
            "off",
            "--max-clients",
            &clients,
            "--max-channels",
            &channels,
        ];
        let server = TestServer::with(&args).await;
        let witness = server.create_session("witness").await;
        Self {
            server,
            model: Model::new(MAX_CLIENTS, MAX_CHANNELS, 0),
            hands: Vec::new(),
            witness,
            times: HashMap::new(),
            listeners: Vec::new(),
            steps: 0,
            story: Vec::new(),
        }
    }

    /// One of the live clients.
    pub fn who(&self, who: u8) -> Option<usize> {
        let live = self.model.live();
        live.get(usize::from(who).checked_rem(live.len())?).copied()
    }

    fn device(&self, client: usize) -> Device {
        self.hands[client].device.clone()
    }

    pub async fn step(&mut self, step: &Step) -> Check {
        self.steps += 1;
        let text = format!("m{}", self.steps);
        self.story.push(format!("{text}: {step:?}"));
        self.server.advance(Duration::from_secs(1));
        let ended = |model: &Model| {
            model
                .clients
                .iter()
                .filter(|client| client.ended.is_some())
                .count()
        };
        let before = ended(&self.model);
        self.perform(step, &text).await?;
        if ended(&self.model) > before {
            self.check_ended().await
        } else {
            Ok(())
        }
    }

    async fn perform(&mut self, step: &Step, text: &str) -> Check {
        match *step {
            Step::Create { nick: n } => {
                let actual = self.server.device().try_create_session(nick(n)).await;
                let expected = self.model.create(nick(n));
                let Some((device, session)) = self.both(expected, actual)? else {
                    return Ok(());
                };
                self.admit(device, session).await
            }
            Step::Login {
                nick: n,
                right,
                replace,
            } => self.login(n, right, replace).await,
            Step::Restart => self.restart().await,
            Step::By(who, ref deed) => {
                let Some(who) = self.who(who) else {
                    return Ok(());
                };
                let session = self.model.clients[who].session;
                let nick = &self.model.sessions[&session].nick;
                self.story
                    .push(format!("    by client {who}, {nick}, of session {session}"));
                self.perform_by(who, session, deed, text).await
            }
        }
    }

    async fn perform_by(&mut self, who: usize, session: Key, deed: &Deed, text: &str) -> Check {
        let device = self.device(who);
        match *deed {
            Deed::SetPassword => {
                let current = if self.model.sessions[&session].password {
                    PASSWORD
                } else {
                    ""
                };
                let line = if current.is_empty() {
                    json!([PASSWORD])
                } else {
                    json!([PASSWORD, current])
                };
                let actual = device
                    .try_send_json(json!({"command": "PASS", "params": line}))
                    .await;
                self.model.set_password(session);
                self.answered(Ok(vec!["NOTE"]), actual, None).await
            }
            Deed::Renew { other, right } => {
                let nick = other.map_or(self.model.sessions[&session].nick.clone(), |n| {
                    nick(n).to_owned()
                });
                self.renew(who, &nick, right).await
            }
            Deed::Do { label, ref act } => self.command(who, label, act, text).await,
            Deed::Repeat { other } => self.repeat(who, other).await,
            Deed::Leave(Leave::LogOut) => {
                let actual = device.call(Method::POST, "/api/v1/logout").await;
                self.model.leave(who, EndReason::LoggedOut, None);
                self.answered(Ok(Vec::new()), actual, None).await
            }
            Deed::Leave(how) => {
                let saying = matches!(how, Leave::QuitSaying).then_some(text);
                let actual = device
                    .try_send(&saying.map_or("QUIT".into(), |text| format!("QUIT :{text}")))
                    .await;
                self.model.leave(who, EndReason::Quit, saying);
                self.answered(Ok(Vec::new()), actual, None).await
            }
            Deed::Remove { whom } => {
                let whom = self.who(whom).unwrap();
                let actual = device
                    .delete(&format!("/api/v1/clients/{}", self.model.clients[whom].id))
                    .await;
                let expected = if self.model.clients[whom].session == session {
                    self.model.leave(whom, EndReason::Removed, None);
                    Ok(Vec::new())
                } else {
                    Err(Code::NotFound)
                };
                self.answered(expected, actual, None).await
            }
            Deed::RemoveOthers => {
                let actual = device.delete("/api/v1/clients").await;
                for other in self
                    .model
                    .live_of(session)
                    .into_iter()
                    .filter(|other| *other != who)
                {
                    self.model.leave(other, EndReason::Removed, None);
                }
                self.answered(Ok(Vec::new()), actual, None).await
            }
            Deed::End => {
                let actual = device.delete("/api/v1/session").await;
                self.model.end(session, EndReason::SessionEnded, None);
                self.answered(Ok(Vec::new()), actual, None).await
            }
            Deed::Poll { limit, from } => {
                let after = match from {
                    From::Acknowledged => None,
                    From::Next => Some(self.hands[who].next),
                    From::Back(back) => Some(position(self.model.head, back)),
                };
                self.poll(who, after, limit.into()).await.map(drop)
            }
            Deed::Snapshot => self.snapshot(who).await,
            Deed::Listen => {
                // A client takes its first snapshot before it listens. The snapshot sets where its
                // queue begins.
                if !self.model.clients[who].begun {
                    self.snapshot(who).await?;
                }
                let after = self.model.clients[who].acknowledged;
                let stream = device.stream("").await;
                self.listeners.push(Listener {
                    client: who,
                    after,
                    stream,
                });
                Ok(())
            }
        }
    }

    /// Compares the outcomes of the model and the server. Returns both results if both succeeded.
    fn both<T, U>(
        &mut self,
        expected: Result<T, Code>,
        actual: Result<U, Problem>,
    ) -> Result<Option<(U, T)>, TestCaseError> {
        match (expected, actual) {
            (Ok(expected), Ok(actual)) => Ok(Some((actual, expected))),
            (Err(expected), Err(actual)) => {
                self.story.push(format!("    {}", actual.code));
                prop_assert_eq!(expected.name(), actual.code);
                Ok(None)
            }
            (Ok(_), Err(actual)) => Err(TestCaseError::fail(format!(
                "the server refused what the model allows: {actual:?}"
            ))),
            (Err(code), Ok(_)) => Err(TestCaseError::fail(format!(
                "the server allowed what the model refuses: {}",
                code.name()
            ))),
        }
    }

    /// Adds a new client.
    async fn admit(&mut self, device: Device, session: usize) -> Check {
        let clients = device.get("/api/v1/clients").await;
        let own = clients
            .items()
            .iter()
            .find(|client| client["current"] == true)
            .unwrap();
        self.model.admit(session, own["id"].as_i64().unwrap());
        self.hands.push(Hand {
            device,
            next: self.model.head,
            view: None,
            labelled: None,
        });
        Ok(())
    }

    async fn login(&mut self, n: u8, right: bool, replace: Option<u8>) -> Check {
        let replace = replace.and_then(|n| self.who(n));
        let password = if right { PASSWORD } else { "a wrong password" };
        let mut body = json!({"nick": nick(n), "password": password});
        if let Some(client) = replace {
            body["replace"] = self.model.clients[client].id.into();
        }
        let actual = self.server.device().login_with(body).await;
        let expected = self.model.login(nick(n), right, replace);
        let Some((device, (session, replaced))) = self.both(expected, actual)? else {
            return Ok(());
        };
        // The other clients get a notice before the new client's queue begins.
        self.model.notice(session);
        let id = self.newest().await;
        self.model.number(&[id], None);
        self.admit(device, session).await?;
        if let Some(client) = replaced {
            self.model.leave(client, EndReason::Removed, None);
        }
        Ok(())
    }

    /// A live client logs in. For its own session it stays the same client and gets a new secret.
    async fn renew(&mut self, who: usize, nick: &str, right: bool) -> Check {
        // The cursor that was acknowledged just before is only in memory.
        self.poll(who, Some(self.model.head), 500).await?;
        let password = if right { PASSWORD } else { "a wrong password" };
        let actual = self.hands[who].device.login(nick, password).await;
        let found = self
            .model
            .find(nick)
            .filter(|key| right && self.model.sessions[key].password);
        let expected = match found.ok_or(Code::LoginFailed) {
            Ok(session) if session != self.model.clients[who].session => {
                Err(Code::AlreadyInSession)
            }
            found => found.map(drop),
        };
        let Some((device, ())) = self.both(expected, actual)? else {
            return Ok(());
        };
        let old = std::mem::replace(&mut self.hands[who].device, device);
        self.cut(who).await?;
        let refusal = old.call(Method::GET, "/api/v1/session").await.unwrap_err();
        prop_assert_eq!(
            refusal.code,
            "unauthenticated",
            "the old secret is refused after a new one was given"
        );
        // Its queue continues from the same cursor.
        self.poll(who, None, 500).await.map(drop)
    }
}

/// An event as this client must receive it, without the time.
pub fn message(event: &Event, client: usize) -> Value {
    let Event {
        id,
        source,
        command,
        params,
        label,
        ..
    } = event;
    let mut message = json!({"id": id, "source": source, "command": command, "params": params});
    if let Some((_, label)) = label.as_ref().filter(|(origin, _)| *origin == client) {
        message["label"] = json!(label);
    }
    message
}
