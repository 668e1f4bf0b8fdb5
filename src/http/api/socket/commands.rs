//! The commands of one WebSocket, in their order.

use std::{collections::VecDeque, pin::Pin, sync::Arc};

use axum::extract::ws::Utf8Bytes;
use futures_util::{StreamExt, stream::FuturesOrdered};
use serde::Serialize;

use crate::{
    chat::{
        Answer,
        commands::{self, replies::SHORT_BYTES},
    },
    error::Result,
    http::{
        api::messages::carry_out,
        errors::problem::Problem,
        extract::{address::Address, body},
        state::ServerState,
    },
    irc::Request,
    model::Area,
    session::{self, LiveClient},
    store::WriteSlot,
};

/// The most commands of one connection that are being carried out. While there are so many, the
/// next one is not read.
const IN_FLIGHT: usize = 256;
/// The most bytes of their answers. Answers wait here if the peer does not read them. A command
/// whose answer may be longer is carried out by itself.
const ANSWERS: usize = 128 * 1024;

/// The commands of one connection, carried out in their order.
pub struct Commands {
    /// The server's state.
    pub server: ServerState,
    /// The client whose connection it is.
    pub live: Arc<LiveClient>,
    address: Arc<Address>,
    running: FuturesOrdered<Running>,
    /// The bytes that the answer to each running command may have, and the sum.
    lengths: VecDeque<usize>,
    length: usize,
    /// The command that waits for a slot of the writer.
    arrived: Option<Arrived>,
    /// Whether the running command must finish before another one begins.
    alone: bool,
    /// A command that must run alone and waits for those that are running.
    next: Option<Arrived>,
}

/// The request, or the error of a text that is not one.
struct Arrived {
    /// The label, which goes with the answer or the refusal.
    label: Option<String>,
    /// The number of lines of its text. Each counts as a command.
    lines: usize,
    request: Result<Request>,
}

impl Arrived {
    fn parse(text: &[u8]) -> Self {
        match body::message(text) {
            Ok(message) => Self {
                label: message.label.clone(),
                lines: message.lines(),
                request: Request::parse(message),
            },
            Err(error) => Self {
                label: body::label(text),
                lines: 1,
                request: Err(error),
            },
        }
    }
}

/// A command that is being carried out. It gives what is sent to the peer.
type Running = Pin<Box<dyn Future<Output = Utf8Bytes> + Send>>;

/// The answer to a command: either a result or a problem.
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

/// The most bytes that the answer to a request may have.
fn longest_answer(request: &Result<Request>) -> usize {
    match request {
        Ok(request) => commands::longest_answer(&request.command),
        Err(_) => SHORT_BYTES,
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

    /// Whether a command is being carried out.
    pub fn are_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether a command waits for a slot of the writer.
    pub fn is_held_up(&self) -> bool {
        self.arrived.is_some()
    }

    /// Whether another command may be read.
    pub fn has_room(&self) -> bool {
        !self.alone
            && self.arrived.is_none()
            && self.next.is_none()
            && self.running.len() < IN_FLIGHT
    }

    /// Begins a command, or lets it wait for the earlier ones.
    pub fn take(&mut self, text: Utf8Bytes) {
        let arrived = Arrived::parse(text.as_bytes());
        let Ok(request) = &arrived.request else {
            // A refusal is answered in its turn, too.
            return self.begin(arrived, None);
        };
        let fits = self.length + longest_answer(&arrived.request) <= ANSWERS;
        if request.is_one_write() && fits {
            match self.server.core.free_write_slot() {
                Some(slot) => self.begin(arrived, Some(slot)),
                None => self.arrived = Some(arrived),
            }
        } else if self.running.is_empty() {
            self.begin_alone(arrived);
        } else {
            self.next = Some(arrived);
        }
    }

    /// Begins the command that waited for a slot of the writer.
    pub fn begin_arrived(&mut self, slot: Option<WriteSlot>) {
        if let Some(arrived) = self.arrived.take() {
            self.begin(arrived, slot);
        }
    }

    fn begin(&mut self, arrived: Arrived, slot: Option<WriteSlot>) {
        let length = longest_answer(&arrived.request);
        self.lengths.push_back(length);
        self.length += length;
        let running = self.run(arrived, slot);
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

    /// The next answer, when no more commands are read.
    pub async fn finish(&mut self) -> Option<Utf8Bytes> {
        if self.arrived.is_some() {
            let server = self.server.clone();
            self.begin_arrived(server.core.write_slot(self.live.caller).await.ok());
        }
        self.answer().await
    }

    fn run(&self, arrived: Arrived, slot: Option<WriteSlot>) -> Running {
        let (server, live, address) =
            (self.server.clone(), self.live.clone(), self.address.clone());
        Box::pin(async move {
            let Arrived {
                label,
                lines,
                request,
            } = arrived;
            let address = Address {
                at: server.clock.moment(),
                ..(*address).clone()
            };
            let expired = live.token_expired(address.at.due);
            if !expired {
                live.touch(address.at.now);
                live.used_from(Area::of(address.ip));
            }
            let result = if expired {
                // A stolen token must not be usable beyond its lifetime.
                Err(session::invalid_token())
            } else {
                carry_out(&server, &live, &address, request, lines, slot).await
            };
            let outcome = match &result {
                Ok(answer) => Outcome::Done(answer),
                Err(error) => Outcome::Refused(error.into()),
            };
            // Serializing an answer cannot fail.
            serde_json::to_string(&Labelled { label, outcome })
                .unwrap_or_default()
                .into()
        })
    }
}
