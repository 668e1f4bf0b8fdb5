//! The hub: which connected clients listen to which targets. It receives the committed events in
//! commit order.
//!
//! Wake-ups and pushes are hints; the log is the truth. A connection whose buffer overflows reads
//! the log at its position and continues from there. No other connection notices.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::{
    error::{Code, Error, Result},
    model::{Caller, ChannelId, ClientId, EndReason, Event, EventId, SessionId, TargetId},
    store::{Effect, texts},
};

/// Events that may wait for a connection. One more makes it read the log instead.
const MAX_WAITING_EVENTS: usize = 512;
/// Bytes of events that may wait for a connection. More make it read the log instead.
pub const MAX_WAITING_BYTES: usize = 128 * 1024;
/// Bytes of an event as it is sent, apart from its parameters, roughly.
const EVENT_OVERHEAD_BYTES: usize = 128;

/// Polls and streams that one client may have open at a time: enough for the tabs of a browser and
/// some connections that the network has lost. Each costs its buffer, and a wake-up for every
/// event.
pub const MAX_CONNECTIONS_PER_CLIENT: usize = 32;

/// An event on its way to many connections, rendered once.
///
/// It is our own, because tokio's `broadcast` shares a value, but not what its receivers render of
/// it.
#[derive(Debug)]
pub struct Delivery {
    /// The event.
    pub event: Arc<Event>,
    /// The bytes of the event as it is sent, roughly.
    bytes: usize,
    rendered: OnceLock<Bytes>,
}

impl Delivery {
    /// An event that has not been rendered yet.
    pub fn new(event: Arc<Event>) -> Arc<Self> {
        let bytes = EVENT_OVERHEAD_BYTES
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

    /// The event as the edge renders it for everyone but its sender. The first caller renders it.
    pub fn rendered(&self, render: impl FnOnce(&Event) -> Bytes) -> Bytes {
        self.rendered.get_or_init(|| render(&self.event)).clone()
    }
}

/// The connected clients of one process, and the members of its channels.
#[derive(Default)]
pub struct Hub {
    /// Held for the look-ups and pushes of one commit, never over an await.
    state: Mutex<State>,
    /// The last event that was pushed to all listeners.
    head: AtomicI64,
}

#[derive(Default)]
struct State {
    /// The members of each live channel.
    members: HashMap<ChannelId, HashSet<SessionId>>,
    /// The open connections of each session.
    listeners: HashMap<SessionId, Vec<Arc<Connection>>>,
}

/// An open poll or stream of one client.
#[derive(Debug)]
struct Connection {
    client: ClientId,
    /// Events that may wait for it.
    room: usize,
    inbox: Mutex<Inbox>,
    wake: Notify,
    /// Wakes a task that waits only for the end.
    last_call: Notify,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: VecDeque<Arc<Delivery>>,
    /// The bytes of the waiting events.
    bytes: usize,
    /// Whether events were dropped since the inbox was last emptied.
    overflowed: bool,
    end: Option<ConnectionEnd>,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Its client has ended.
    ClientEnded(EndReason),
    /// The secret it was opened with is no longer valid. Its client goes on with another.
    SecretRotated,
}

/// The content of a connection's inbox.
pub struct InboxContents {
    /// The events that were waiting, in order.
    pub waiting: VecDeque<Arc<Delivery>>,
    /// Whether events were dropped, so that the log must be read.
    pub overflowed: bool,
    /// Why the connection ends, once it does.
    pub end: Option<ConnectionEnd>,
    /// Everything up to this event was pushed before the inbox was emptied.
    pub head: EventId,
}

impl Hub {
    /// Sets the head when a database is opened.
    pub fn start_at(&self, head: EventId) {
        self.head.store(head.0, Ordering::Release);
    }

    /// The last event that was pushed to all listeners.
    pub fn head(&self) -> EventId {
        EventId(self.head.load(Ordering::Acquire))
    }

    /// How many polls and streams are open.
    pub fn connections(&self) -> usize {
        self.lock().listeners.values().map(Vec::len).sum()
    }

    /// Connects a client until the attachment is dropped. It fails with `throttled` if the client
    /// has [`MAX_CONNECTIONS_PER_CLIENT`] connections.
    pub fn attach(self: &Arc<Self>, caller: Caller) -> Result<Attachment> {
        let mut state = self.lock();
        let connections = state.listeners.entry(caller.session).or_default();
        if connections
            .iter()
            .filter(|connection| connection.client == caller.client)
            .count()
            >= MAX_CONNECTIONS_PER_CLIENT
        {
            let detail = format!(
                "this client already has {MAX_CONNECTIONS_PER_CLIENT} polls and streams open; close one first"
            );
            return Err(Error::retry(Code::Throttled, 5, detail));
        }
        let connection = Arc::new(Connection {
            client: caller.client,
            // A confined client may see only some of its session's events, and only the log knows
            // which. Nothing is pushed to it; it reads the log.
            room: if caller.is_confined() {
                0
            } else {
                MAX_WAITING_EVENTS
            },
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

    /// Applies the effects of commits, in order.
    pub fn apply(&self, effects: impl IntoIterator<Item = Effect>) {
        let mut state = self.lock();
        let mut effects = effects.into_iter().peekable();
        while let Some(effect) = effects.next() {
            match effect {
                Effect::Logged { event, targets } => {
                    let mut run = vec![Delivery::new(event)];
                    // Consecutive events with the same targets are pushed together: one lock and
                    // one wake-up for all.
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
                        connection.finish(ConnectionEnd::ClientEnded(reason));
                    }
                }
                // A grant's client has an effect of its own.
                Effect::TokenIssued(_)
                | Effect::TokenEnded { .. }
                | Effect::GrantEnded { .. }
                | Effect::AppEnded => {}
                Effect::ChannelMade { .. } | Effect::ChannelEnded { .. } => {}
                // If the client existed already, its secret was replaced, and connections that were
                // opened with the old secret end.
                Effect::Admitted(admission) => {
                    let connections = state
                        .listeners
                        .get(&admission.caller.session)
                        .into_iter()
                        .flatten();
                    let own = connections
                        .filter(|connection| connection.client == admission.caller.client);
                    own.for_each(|connection| connection.finish(ConnectionEnd::SecretRotated));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
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
    /// Adds a run of events to the inbox. `bytes` is their length together.
    fn push(&self, run: &[Arc<Delivery>], bytes: usize) {
        {
            let mut inbox = self.lock();
            let full = inbox.waiting.len() + run.len() > self.room
                || inbox.bytes + bytes > MAX_WAITING_BYTES;
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

    fn finish(&self, end: ConnectionEnd) {
        self.lock().end = Some(end);
        self.wake.notify_one();
        self.last_call.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock()
    }
}

/// A connection's registration in the hub. Dropping it disconnects.
pub struct Attachment {
    hub: Arc<Hub>,
    session: SessionId,
    connection: Arc<Connection>,
}

impl Attachment {
    /// Empties the inbox, and returns its content.
    pub fn take(&self) -> InboxContents {
        // The head is read first: every event up to it is in the inbox, or was taken before.
        let head = self.hub.head();
        let mut inbox = self.connection.lock();
        inbox.bytes = 0;
        InboxContents {
            waiting: std::mem::take(&mut inbox.waiting),
            overflowed: std::mem::take(&mut inbox.overflowed),
            end: inbox.end,
            head,
        }
    }

    /// The position up to which the log holds nothing more for this connection. `None` if events
    /// wait in the inbox.
    pub fn quiet_up_to(&self) -> Option<EventId> {
        let head = self.hub.head();
        let inbox = self.connection.lock();
        (inbox.waiting.is_empty() && !inbox.overflowed).then_some(head)
    }

    /// Why the connection ends, once it does.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.connection.lock().end
    }

    /// Waits until there may be something in the inbox.
    pub async fn woken(&self) {
        self.connection.wake.notified().await;
    }

    /// Resolves when the connection ends, even while its holder does something else. Only one
    /// task may wait at a time.
    pub fn finished(&self) -> impl Future<Output = ConnectionEnd> + Send + use<> {
        let connection = self.connection.clone();
        async move {
            loop {
                if let Some(end) = connection.lock().end {
                    return end;
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
