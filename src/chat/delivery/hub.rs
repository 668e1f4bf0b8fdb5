//! The hub: which connected clients listen to which targets, fed with the committed events in
//! commit order.
//!
//! Wake-ups and pushes are hints; the log is the truth. A connection whose buffer overflows reads
//! the log at its position and goes on from there, and nobody else notices.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::{
    error::{Code, Error, Result},
    model::{Caller, ChannelId, ClientId, EndReason, Event, EventId, SessionId, TargetId},
    store::{Effect, texts},
};

/// Events a connection may have waiting before it has to read the log, and bytes of them.
const BUFFER: usize = 512;
pub const BUFFER_BYTES: usize = 128 * 1024;
/// Bytes of an event as it is sent, beside its parameters, about.
const EVENT: usize = 128;

/// Held polls and streams of one client at one time: the tabs of a browser, and room for some that
/// the network has lost. Each costs its buffer, and a wake-up for every event.
pub const HELD: usize = 32;

/// An event on its way to many, rendered once.
#[derive(Debug)]
pub struct Delivery {
    pub event: Arc<Event>,
    /// Bytes of it as it is sent, about.
    bytes: usize,
    rendered: OnceLock<Bytes>,
}

impl Delivery {
    pub fn new(event: Arc<Event>) -> Arc<Self> {
        let bytes = EVENT
            + event
                .params
                .iter()
                .map(|param| texts::rendered_length(param))
                .sum::<usize>();
        Arc::new(Self {
            event,
            bytes,
            rendered: OnceLock::new(),
        })
    }

    /// The event as the edge renders it for everyone but its sender; the first to need it does the
    /// work.
    pub fn rendered(&self, render: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.rendered.get_or_init(|| render(&self.event)).clone()
    }
}

#[derive(Default)]
pub struct Hub {
    /// Held for the look-ups and pushes of one commit, never over an await.
    state: Mutex<State>,
    /// The last event that has been pushed to all who listen.
    head: AtomicI64,
}

#[derive(Default)]
struct State {
    members: HashMap<ChannelId, HashSet<SessionId>>,
    listeners: HashMap<SessionId, Vec<Arc<Connection>>>,
}

/// A held poll or a stream of one client.
#[derive(Debug)]
struct Connection {
    client: ClientId,
    /// Events it may have waiting.
    room: usize,
    inbox: Mutex<Inbox>,
    wake: Notify,
    /// For whoever waits for nothing but the end.
    last_call: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<Arc<Delivery>>,
    /// Bytes of those.
    bytes: usize,
    overflowed: bool,
    over: Option<Over>,
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Its client has ended.
    Ended(EndReason),
    /// The secret it was opened with is dead; its client goes on with another.
    Cut,
}

/// What a connection found in its inbox.
pub struct Taken {
    pub waiting: VecDeque<Arc<Delivery>>,
    /// Some were dropped: read the log.
    pub overflowed: bool,
    pub over: Option<Over>,
    /// Everything up to here has been pushed before this was taken.
    pub head: EventId,
}

impl Hub {
    pub fn start_at(&self, head: EventId) {
        self.head.store(head.0, Ordering::Release);
    }

    pub fn head(&self) -> EventId {
        EventId(self.head.load(Ordering::Acquire))
    }

    pub fn connections(&self) -> usize {
        self.lock().listeners.values().map(Vec::len).sum()
    }

    /// Connects a client until the attachment is dropped, unless it is connected as often as it may
    /// be.
    pub fn attach(self: &Arc<Self>, caller: Caller) -> Result<Attachment> {
        let mut state = self.lock();
        let connections = state.listeners.entry(caller.session).or_default();
        if connections
            .iter()
            .filter(|connection| connection.client == caller.client)
            .count()
            >= HELD
        {
            let detail = format!(
                "this client has {HELD} polls and streams open already: end one of them first"
            );
            return Err(Error::retry(Code::Throttled, 5, detail));
        }
        let connection = Arc::new(Connection {
            client: caller.client,
            // A confined client is entitled to some of its session's events only, and the log knows
            // to which.
            room: if caller.confined { 0 } else { BUFFER },
            inbox: Mutex::default(),
            wake: Notify::new(),
            last_call: Notify::new(),
        });
        connections.push(connection.clone());
        Ok(Attachment {
            hub: self.clone(),
            session: caller.session,
            connection,
        })
    }

    /// Takes the effects of one commit, in order.
    pub fn apply(&self, effects: impl IntoIterator<Item = Effect>) {
        let mut state = self.lock();
        let mut effects = effects.into_iter().peekable();
        while let Some(effect) = effects.next() {
            match effect {
                Effect::Logged { event, targets } => {
                    let mut run = vec![Delivery::new(event)];
                    // Events in a row that go to the same targets are pushed at once: a lock and a
                    // wake-up for all of them.
                    while let Some(Effect::Logged { event, .. }) = effects
                        .next_if(|next| matches!(next, Effect::Logged { targets: others, .. } if *others == targets))
                    {
                        run.push(Delivery::new(event));
                    }
                    state.push(&run, &targets);
                    let head = run.last().map_or(0, |delivery| delivery.event.id.0);
                    self.head.store(head, Ordering::Release);
                }
                Effect::Joined { session, channel } => {
                    state.members.entry(channel).or_default().insert(session);
                }
                Effect::Left { session, channel } => {
                    if let Some(members) = state.members.get_mut(&channel) {
                        members.remove(&session);
                        if members.is_empty() {
                            state.members.remove(&channel);
                        }
                    }
                }
                Effect::ClientEnded {
                    session,
                    client,
                    reason,
                } => {
                    let connections = state.listeners.get(&session).into_iter().flatten();
                    for connection in connections.filter(|connection| connection.client == client) {
                        connection.finish(Over::Ended(reason));
                    }
                }
                // A grant's client ends by itself.
                Effect::TokenIssued(_)
                | Effect::TokenEnded { .. }
                | Effect::GrantEnded { .. }
                | Effect::AppEnded => {}
                Effect::ChannelMade { .. } | Effect::ChannelEnded { .. } => {}
                // A client that is not new has a new secret: what the old one opened is over.
                Effect::Admitted(admission) => {
                    let connections = state
                        .listeners
                        .get(&admission.caller.session)
                        .into_iter()
                        .flatten();
                    let own = connections
                        .filter(|connection| connection.client == admission.caller.client);
                    own.for_each(|connection| connection.finish(Over::Cut));
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl State {
    fn push(&self, run: &[Arc<Delivery>], targets: &[TargetId]) {
        let mut reached = HashSet::new();
        let bytes = run.iter().map(|delivery| delivery.bytes).sum();
        let mut reach = |session: SessionId| {
            if let Some(connections) = self.listeners.get(&session)
                // Several targets of one event may lead to the same session.
                && (targets.len() == 1 || reached.insert(session))
            {
                connections
                    .iter()
                    .for_each(|connection| connection.push(run, bytes));
            }
        };
        for target in targets {
            reach(SessionId(target.0));
            if let Some(members) = self.members.get(&ChannelId(target.0)) {
                members.iter().copied().for_each(&mut reach);
            }
        }
    }
}

impl Connection {
    /// Takes a run of events of so many bytes.
    fn push(&self, run: &[Arc<Delivery>], bytes: usize) {
        {
            let mut inbox = self.lock();
            let full =
                inbox.waiting.len() + run.len() > self.room || inbox.bytes + bytes > BUFFER_BYTES;
            if inbox.overflowed || full {
                inbox.overflowed = true;
                (inbox.waiting, inbox.bytes) = (VecDeque::new(), 0);
            } else {
                inbox.waiting.extend(run.iter().cloned());
                inbox.bytes += bytes;
            }
        }
        self.wake.notify_one();
    }

    fn finish(&self, why: Over) {
        self.lock().over = Some(why);
        self.wake.notify_one();
        self.last_call.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A connection's place in the hub; it gives it up when dropped.
pub struct Attachment {
    hub: Arc<Hub>,
    session: SessionId,
    connection: Arc<Connection>,
}

impl Attachment {
    /// Empties the inbox.
    pub fn take(&self) -> Taken {
        // Read before the inbox: what was pushed up to here is in it, or was taken before.
        let head = self.hub.head();
        let mut inbox = self.connection.lock();
        inbox.bytes = 0;
        Taken {
            waiting: std::mem::take(&mut inbox.waiting),
            overflowed: std::mem::take(&mut inbox.overflowed),
            over: inbox.over,
            head,
        }
    }

    /// How far the log is known to hold nothing more for this connection; `None` if something
    /// waits.
    pub fn quiet_up_to(&self) -> Option<EventId> {
        let head = self.hub.head();
        let inbox = self.connection.lock();
        (inbox.waiting.is_empty() && !inbox.overflowed).then_some(head)
    }

    /// Why it is over, if it is.
    pub fn over(&self) -> Option<Over> {
        self.connection.lock().over
    }

    /// Waits until there may be something in the inbox.
    pub async fn woken(&self) {
        self.connection.wake.notified().await;
    }

    /// Resolves once it is over, whatever its holder is busy with. One may wait at a time.
    pub fn finished(&self) -> impl Future<Output = Over> + Send + use<> {
        let connection = self.connection.clone();
        async move {
            loop {
                if let Some(over) = connection.lock().over {
                    return over;
                }
                connection.last_call.notified().await;
            }
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        if let Some(connections) = state.listeners.get_mut(&self.session) {
            connections.retain(|connection| !Arc::ptr_eq(connection, &self.connection));
            if connections.is_empty() {
                state.listeners.remove(&self.session);
            }
        }
    }
}
