//! The commands of one connection, in their order.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use serde::Serialize;

use crate::{
    chat::{Answer, commands::replies::ANSWER_BYTES},
    error::Result,
    http::{
        api::messages::carry_out,
        errors::problem::Problem,
        extract::{address::Address, body},
        middleware::command_limits,
        state::ServerState,
    },
    irc::{self, Verb},
    model::{Area, REASON_LIMIT},
    session::{self, LiveClient},
    store::WriteSlot,
};

/// Commands of one connection on their way; beyond it, the next is not read.
const IN_FLIGHT: usize = 256;
/// Bytes of their answers at most. Who does not read has them wait here, and one that may be longer
/// is carried out by itself.
const ANSWERS: usize = 128 * 1024;

/// The commands of one connection, carried out in their order.
pub struct Commands {
    /// The server's state.
    pub server: ServerState,
    /// The client whose connection it is.
    pub live: Arc<LiveClient>,
    address: Arc<Address>,
    running: FuturesOrdered<Running>,
    /// How long the answer to each of them may be, and to all together.
    lengths: VecDeque<usize>,
    length: usize,
    /// One that waits for a place among all that write.
    arrived: Option<Arrived>,
    /// Whether the one that is running lets none begin before it is done.
    alone: bool,
    /// One of that kind, which waits for those that are running.
    next: Option<Arrived>,
}

/// A command as it came: what it is, if it is one, and its text.
type Arrived = (Result<irc::Message>, Utf8Bytes);

/// A command being carried out, and what is then to be sent.
type Running = Pin<Box<dyn Future<Output = Utf8Bytes> + Send>>;

/// The answer to a command: exactly the one or the other.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Done(&'a Answer),
    Refused(Problem<'a>),
}

#[derive(Serialize)]
struct Labelled<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

/// Bytes that the answer to a command may have.
fn longest_answer(message: &Result<irc::Message>) -> usize {
    /// A refusal, or what is said of one target that fails; and a text of somebody's, in which all
    /// is escaped.
    const SHORT: usize = 1024;
    const TEXT: usize = 6 * REASON_LIMIT + SHORT;
    let Ok(message) = message else { return SHORT };
    let targets = message.params.first().map_or("", String::as_str).split(',');
    match Verb::find(&message.command).map(|verb| verb.name) {
        Some("PRIVMSG") => targets
            .map(|target| {
                if target.starts_with('#') {
                    SHORT / 4
                } else {
                    TEXT
                }
            })
            .sum(),
        Some("NOTICE" | "NICK" | "AWAY" | "MARKREAD" | "QUIT") | None => SHORT,
        Some("TOPIC" | "INVITE") => TEXT,
        Some("PART" | "KICK" | "SILENCE") => 20 * SHORT,
        // They list people, or bans.
        Some(_) => ANSWER_BYTES,
    }
}

impl Commands {
    /// No commands yet.
    pub fn new(server: ServerState, live: Arc<LiveClient>, address: Address) -> Self {
        let (running, lengths, address) =
            (FuturesOrdered::new(), VecDeque::new(), Arc::new(address));
        Self {
            server,
            live,
            address,
            running,
            lengths,
            length: 0,
            arrived: None,
            alone: false,
            next: None,
        }
    }

    /// Whether any is being carried out.
    pub fn are_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether one waits for a place.
    pub fn is_held_up(&self) -> bool {
        self.arrived.is_some()
    }

    /// Whether another one may be read.
    pub fn has_room(&self) -> bool {
        !self.alone
            && self.arrived.is_none()
            && self.next.is_none()
            && self.running.len() < IN_FLIGHT
    }

    /// Begins a command, or lets it wait for those before it.
    pub fn take(&mut self, text: Utf8Bytes) {
        let message = body::message(text.as_bytes());
        let verb = message
            .as_ref()
            .ok()
            .and_then(|message| Verb::find(&message.command));
        match verb {
            Some(verb)
                if verb.is_one_write() && self.length + longest_answer(&message) <= ANSWERS =>
            {
                match self.server.core.free_write_slot() {
                    Some(place) => self.begin((message, text), Some(place)),
                    None => self.arrived = Some((message, text)),
                }
            }
            Some(_) if self.running.is_empty() => self.begin_alone((message, text)),
            Some(_) => self.next = Some((message, text)),
            // Even a refusal keeps its place in the order.
            None => self.begin((message, text), None),
        }
    }

    /// Begins the one that waits for a place.
    pub fn begin_arrived(&mut self, place: Option<WriteSlot>) {
        if let Some(arrived) = self.arrived.take() {
            self.begin(arrived, place);
        }
    }

    fn begin(&mut self, arrived: Arrived, place: Option<WriteSlot>) {
        let length = longest_answer(&arrived.0);
        self.lengths.push_back(length);
        self.length += length;
        let running = self.run(arrived, place);
        self.running.push_back(running);
    }

    fn begin_alone(&mut self, arrived: Arrived) {
        self.alone = true;
        self.begin(arrived, None);
    }

    /// The next answer in the order of the commands; `None` if none is running.
    pub async fn answer(&mut self) -> Option<Utf8Bytes> {
        let answer = self.running.next().await?;
        self.length -= self.lengths.pop_front().unwrap_or(0);
        if self.running.is_empty() {
            self.alone = false;
            if let Some(next) = self.next.take() {
                self.begin_alone(next);
            }
        }
        Some(answer)
    }

    /// The next answer where nothing more is read.
    pub async fn finish(&mut self) -> Option<Utf8Bytes> {
        if self.arrived.is_some() {
            let server = self.server.clone();
            self.begin_arrived(server.core.write_slot(self.live.caller).await.ok());
        }
        self.answer().await
    }

    fn run(&self, (message, text): Arrived, place: Option<WriteSlot>) -> Running {
        let (server, live, address) =
            (self.server.clone(), self.live.clone(), self.address.clone());
        Box::pin(async move {
            let label = match &message {
                Ok(message) => message.label.clone(),
                Err(_) => body::label(text.as_bytes()),
            };
            let now = server.clock.now();
            let expired = live.token_over(server.clock.due());
            if !expired {
                live.touch(now);
                live.used_from(Area::of(address.ip));
            }
            let result = match message {
                // A stolen token is of use for no longer than it lives.
                _ if expired => Err(session::invalid_token()),
                Ok(message) => carry_out(&server, &live, &address, message, now, place).await,
                Err(error) => command_limits::charge(&server, &live, &address, 1, now)
                    .await
                    .and(Err(error)),
            };
            let outcome = match &result {
                Ok(answer) => Outcome::Done(answer),
                Err(error) => Outcome::Refused(error.into()),
            };
            // Nothing in an answer can fail to be written.
            serde_json::to_string(&Labelled { label, outcome })
                .unwrap_or_default()
                .into()
        })
    }
}
