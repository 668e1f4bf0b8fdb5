//! The server, the devices and the model side by side: each step is done by both, and what they say
//! is compared.

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
use crate::support::{Device, JsonAnswer, Problem, Stream, TestServer};

pub type Check = TestCaseResult;

const PASSWORD: &str = "correct horse battery";
const MAX_CLIENTS: usize = 4;
/// Of three there are, so that the limit is met.
const MAX_CHANNELS: usize = 2;

pub struct World {
    pub server: TestServer,
    pub model: Model,
    /// One of each of the model's clients.
    pub hands: Vec<Hand>,
    /// Somebody who is on no channel, and sees how far the log has come.
    witness: Device,
    /// When each event happened, as it was first told.
    times: HashMap<i64, String>,
    pub listeners: Vec<Listener>,
    steps: usize,
    pub story: Vec<String>,
}

/// A device, and what it remembers.
pub struct Hand {
    pub device: Device,
    /// Where its last poll ended.
    pub next: i64,
    /// Its last snapshot, and the snapshot's cursor.
    view: Option<(View, i64)>,
    /// Its last labelled command, and what it was answered.
    labelled: Option<(String, Value)>,
}

/// A stream, by its client and where it began.
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
                // As every client does; it settles where its queue begins.
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

    /// What both say, where it is yes.
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
                "it was to be done, and was refused: {actual:?}"
            ))),
            (Err(code), Ok(_)) => Err(TestCaseError::fail(format!(
                "it was to be refused: {}",
                code.name()
            ))),
        }
    }

    /// A new client came in.
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
        // The siblings are told before the new one's queue begins.
        self.model.notice(session);
        let id = self.newest().await;
        self.model.number(&[id], None);
        self.admit(device, session).await?;
        if let Some(client) = replaced {
            self.model.leave(client, EndReason::Removed, None);
        }
        Ok(())
    }

    /// A login from a live client: of its own session it is the same client with a new secret.
    async fn renew(&mut self, who: usize, nick: &str, right: bool) -> Check {
        // What was acknowledged just before is only in memory.
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
            "an old secret, after a new one was given"
        );
        // Its queue goes on where it was.
        self.poll(who, None, 500).await.map(drop)
    }

    async fn command(&mut self, who: usize, label: bool, act: &Act, text: &str) -> Check {
        let label = label.then(|| format!("l{text}"));
        // Each nick has its turn to be named.
        let text = &format!("{text} {}", nick(self.steps as u8));
        let line = act.line(text, self.model.head);
        self.story.push(format!("    {line}"));
        let line = label
            .as_ref()
            .map_or(line.clone(), |label| format!("@label={label} {line}"));
        let actual = self.hands[who].device.try_send(&line).await;
        if let (Some(_), Ok(answer)) = (&label, &actual) {
            self.hands[who].labelled = Some((line, answer.clone()));
        }
        let expected = self.model.act(who, act, text);
        self.answered(expected, actual, label.map(|label| (who, label)))
            .await
    }

    /// The same label again: the same answer and nothing more; with another command it is refused.
    async fn repeat(&mut self, who: usize, other: bool) -> Check {
        let Some((line, answer)) = self.hands[who].labelled.clone() else {
            return Ok(());
        };
        let sent = if other {
            format!("{line} and more")
        } else {
            line
        };
        let actual = self.hands[who].device.try_send(&sent).await;
        self.story.push(format!("    {sent}: {actual:?}"));
        match actual {
            Ok(again) => prop_assert!(!other && again == answer, "the first answer was {answer}"),
            Err(refusal) => prop_assert!(other && refusal.code == "label_reused", "{refusal:?}"),
        }
        Ok(())
    }

    /// Compares an answer, and learns the ids of what was made.
    pub async fn answered(
        &mut self,
        expected: Answer,
        actual: Result<Value, Problem>,
        label: Option<(usize, String)>,
    ) -> Check {
        let Some((actual, replies)) = self.both(expected, actual)? else {
            prop_assert!(self.model.fresh.is_empty());
            return Ok(());
        };
        let ids: Vec<i64> = match actual["ids"].as_array() {
            Some(ids) => {
                let commands = actual.replies().iter().map(|reply| reply.command());
                prop_assert_eq!(commands.collect::<Vec<_>>(), replies);
                ids.iter().map(|id| id.as_i64().unwrap()).collect()
            }
            // Of what has no body to say it, the witness sees the id.
            None if self.model.fresh.is_empty() => Vec::new(),
            None => vec![self.newest().await - self.model.fresh.len() as i64 + 1],
        };
        self.story.push(format!("    {ids:?}"));
        prop_assert_eq!(
            ids.len(),
            self.model.answered(),
            "events: {:?}",
            &self.model.fresh
        );
        prop_assert!(
            ids.iter()
                .zip([&self.model.head].into_iter().chain(&ids))
                .all(|(id, before)| id > before),
            "{ids:?}"
        );
        self.model.number(&ids, label);
        Ok(())
    }

    /// The id of the last event, which the witness sees.
    async fn newest(&self) -> i64 {
        self.witness.poll("timeout=0").await["next"]
            .as_i64()
            .unwrap()
    }

    /// Polls, and compares the page. Whether there may be more.
    pub async fn poll(
        &mut self,
        who: usize,
        after: Option<i64>,
        limit: usize,
    ) -> Result<bool, TestCaseError> {
        let query = after.map_or(String::new(), |after| format!("&after={after}"));
        let device = self.device(who);
        let actual = device
            .call(
                Method::GET,
                &format!("/api/v1/messages?timeout=0&limit={limit}{query}"),
            )
            .await;
        self.model.clients[who].begun = true;
        let expected = after.map_or(Ok(()), |after| self.model.acknowledge(who, after));
        let Some((page, ())) = self.both(expected, actual)? else {
            return Ok(false);
        };
        let from = after.unwrap_or(self.model.clients[who].acknowledged);
        let expected: Vec<_> = self
            .model
            .queue(who, from)
            .take(limit)
            .map(|event| message(event, who))
            .collect();
        let next = if expected.len() == limit {
            expected.last().unwrap()["id"].as_i64().unwrap()
        } else {
            self.model.head
        };
        let messages = page.messages();
        let seen = messages
            .iter()
            .map(|message| self.seen(message))
            .collect::<Result<Vec<_>, _>>()?;
        prop_assert_eq!(seen, expected, "client {} past {} by {}", who, from, limit);
        prop_assert_eq!(
            &page["next"],
            next,
            "client {} past {} by {}",
            who,
            from,
            limit
        );
        self.hands[who].next = next;
        Ok(messages.len() == limit)
    }

    /// A message as the model can know it. Its time is the same for all who see it.
    pub fn seen(&mut self, message: &Value) -> Result<Value, TestCaseError> {
        let mut message = message.clone();
        let time = message
            .as_object_mut()
            .unwrap()
            .remove("time")
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        let first = self
            .times
            .entry(message["id"].as_i64().unwrap())
            .or_insert_with(|| time.clone());
        prop_assert_eq!(&*first, &time, "{}", message);
        if message["source"] == SERVER_NAME && message["command"] == "NOTICE" {
            message["params"].as_array_mut().unwrap().truncate(1);
        }
        Ok(message)
    }

    /// Takes a snapshot: it says what the model says, and what the one before and the events since
    /// say together.
    pub async fn snapshot(&mut self, who: usize) -> Check {
        let mut folded = None;
        if let Some((mut view, cursor)) = self.hands[who].view.clone() {
            let page = self.hands[who]
                .device
                .poll(&format!("timeout=0&limit=500&after={cursor}"))
                .await;
            self.model.acknowledge(who, cursor).unwrap();
            page.messages().iter().for_each(|event| view.apply(event));
            folded = Some(view);
        }
        let snapshot = self.hands[who].device.snapshot().await;
        self.model.snapshot(who);
        let view = View::read(&snapshot);
        let client = &self.model.clients[who];
        prop_assert_eq!(
            view.clone().without_times(),
            View::of(&self.model, client.session),
            "client {}",
            who
        );
        let positions = [
            &snapshot["client"]["id"],
            &snapshot["cursor"],
            &snapshot["acknowledged"],
        ];
        prop_assert_eq!(
            positions,
            [client.id, self.model.head, client.acknowledged],
            "client {}",
            who
        );
        if let Some(folded) = folded {
            prop_assert_eq!(
                folded.completed(&view),
                view.clone(),
                "client {}: the events since the last snapshot",
                who
            );
        }
        self.hands[who].view = Some((view, self.model.head));
        Ok(())
    }

    pub async fn restart(&mut self) -> Check {
        self.check_streams().await?;
        self.listeners.clear();
        self.server.restart().await;
        Ok(())
    }
}

/// An event as a client is to receive it, but for its time.
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
