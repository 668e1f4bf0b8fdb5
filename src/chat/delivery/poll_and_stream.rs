//! A client's queue, read by long poll or followed as a stream, and histories.

use std::{collections::VecDeque, pin::Pin, sync::Arc, time::Duration};

use crate::{
    chat::{
        delivery::hub::{Attachment, ConnectionEnd, Delivery, MAX_WAITING_BYTES},
        running::Chat,
    },
    error::{Error, Extra, Result},
    model::{Event, EventId, Page, SessionId, Target, Timestamp},
    session::{LiveClient, Visibility},
    store::{
        Priority, Read, client,
        history::{self, Part},
        log,
        queue::PageSize,
    },
};

/// The subject of a history.
pub enum HistoryOf {
    /// A channel's history, or that of the conversation with the session that has a nick now.
    Target(Target),
    /// The history of the conversation with a session, which may have ended.
    Session(SessionId),
}

/// The events that a stream reads from the log at a time. Their bytes are bounded by those that may
/// wait for a connection.
const STREAM_PAGE: PageSize = PageSize {
    events: 200,
    bytes: MAX_WAITING_BYTES,
};

/// Where to start reading a queue.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The position after which to read. `None`: after the acknowledged cursor.
    pub after: Option<EventId>,
    /// Whether this acknowledges everything up to `after`, and begins a queue that has not begun.
    pub acknowledges: bool,
}

impl Chat {
    /// A page of the caller's queue. If the queue is empty, it waits up to `timeout` for an event.
    ///
    /// It fails with `client_ended`, with `throttled` if the client has too many connections, or
    /// with `invalid_cursor` if `after` is past the end of the log.
    pub async fn poll(
        &self,
        live: &LiveClient,
        start: Start,
        timeout: Duration,
        limit: usize,
    ) -> Result<Page> {
        let deadline = tokio::time::Instant::now() + timeout;
        let after = self.position(live, start).await?;
        let attachment = self.hub.attach(live.caller)?;
        loop {
            // The page is read after attaching: earlier events are in this page, and later ones
            // wake the poll.
            let page = self.page(live, after, limit).await?;
            if let Some(reason) = live.ended() {
                return Err(live.caller.ended(reason));
            }
            if !page.events.is_empty() || page.gap.is_some() {
                return Ok(page);
            }
            if attachment.take().end == Some(ConnectionEnd::SecretRotated) {
                return Ok(page);
            }
            if tokio::time::timeout_at(deadline, attachment.woken())
                .await
                .is_err()
            {
                return Ok(page);
            }
        }
    }

    /// Opens a stream of the caller's queue. It fails like [`Chat::poll`].
    pub async fn follow(self: &Arc<Self>, live: Arc<LiveClient>, start: Start) -> Result<Feed> {
        let position = self.position(&live, start).await?;
        let attachment = self.hub.attach(live.caller)?;
        let warned = position;
        Ok(Feed {
            chat: self.clone(),
            attachment,
            live,
            position,
            warned,
            behind: true,
            reading: None,
        })
    }

    /// Earlier messages: those that this session witnessed on a channel, or its conversation with
    /// another session. It fails with `no_such_channel`, `not_on_channel`, `no_such_nick` or
    /// `invalid_cursor`.
    pub async fn history(
        &self,
        live: &LiveClient,
        of: HistoryOf,
        part: Part,
        limit: usize,
    ) -> Result<Vec<Event>> {
        let caller = live.caller;
        let issued = move |tx: &Read| part.id().map_or(Ok(()), |id| log::require_issued(tx, id));
        self.core
            .read_as(caller, move |tx| {
                let (visibility, me) = (Visibility::of(tx, caller)?, caller.session);
                let other = match of {
                    HistoryOf::Target(Target::Channel(name)) => {
                        let channel = visibility.channel(&name)?;
                        issued(tx)?;
                        let own = history::of_channel(tx, me, channel.id, part, limit)?;
                        return own.ok_or_else(|| Error::not_on_channel(&channel.name));
                    }
                    HistoryOf::Target(Target::Nick(nick)) => visibility.correspondent(&nick)?.id,
                    HistoryOf::Session(session) => visibility.past_correspondent(session)?.id,
                };
                issued(tx)?;
                history::of_exchange(tx, me, other, part, limit)
            })
            .await
    }

    /// The position to read from.
    async fn position(
        &self,
        live: &LiveClient,
        Start {
            after,
            acknowledges,
        }: Start,
    ) -> Result<EventId> {
        if acknowledges && !live.begun() {
            let caller = live.caller;
            match self
                .core
                .write_as(caller, Priority::Essential, move |tx| {
                    client::begin_queue(tx, caller.client, EventId(0))
                })
                .await
            {
                Ok(()) => live.begin(EventId(0)),
                // Not even the disk's reserve is left. The next poll begins the queue.
                Err(error) if error.is_want_of_room() => {}
                Err(error) => return Err(error),
            }
        }
        let Some(after) = after else {
            return Ok(live.cursor());
        };
        // Every position up to the hub's head was issued. Only later ones have to be looked up.
        if after > self.hub.head() {
            self.core
                .store
                .read(move |tx| log::require_issued(tx, after))
                .await?;
        }
        if acknowledges {
            live.acknowledge(after);
        }
        Ok(after)
    }

    async fn page(
        &self,
        live: &LiveClient,
        after: EventId,
        size: impl Into<PageSize>,
    ) -> Result<Page> {
        let (caller, size) = (live.caller, size.into());
        self.core
            .read_as(caller, move |tx| {
                // Events from before the client joined are not in its queue, whatever position it
                // asks for.
                let start = client::queue_start(tx, caller.client)?;
                Visibility::of(tx, caller)?.page(caller.session, after.max(start), size)
            })
            .await
    }
}

/// A stream of one client's queue: events are pushed while the client keeps up, and read from the
/// log when it does not.
pub struct Feed {
    chat: Arc<Chat>,
    attachment: Attachment,
    live: Arc<LiveClient>,
    position: EventId,
    /// The position up to which the client was told of gaps.
    warned: EventId,
    /// Whether the log holds events past the position that were not pushed.
    behind: bool,
    /// A page that is being read. It is kept here so that dropping [`Feed::next`] does not lose it.
    reading: Option<Reading>,
}

type Reading = Pin<Box<dyn Future<Output = Result<Page>> + Send>>;

/// The next item of a feed.
pub enum FeedItem {
    /// Events were removed before the client read them, from the first id to the last.
    Gap(EventId, EventId),
    /// Events, in order.
    Events(VecDeque<Arc<Delivery>>),
    /// The client has ended, or it has a new secret and has to connect again.
    End(ConnectionEnd),
}

impl Feed {
    /// The position up to which the log has been read for this client.
    pub fn position(&self) -> EventId {
        self.position
    }

    /// Why the stream ends, once it does.
    pub fn end(&self) -> Option<ConnectionEnd> {
        self.attachment.end()
    }

    /// Resolves when the stream ends, even while its reader does something else. Only one task
    /// may wait at a time.
    pub fn finished(&self) -> impl Future<Output = ConnectionEnd> + Send + use<> {
        self.attachment.finished()
    }

    /// Notes that the client is in use, and moves the position past events that were not for it.
    pub fn beat(&mut self, now: Timestamp) {
        self.live.touch(now);
        if let Some(head) = self.attachment.quiet_up_to().filter(|_| !self.behind) {
            self.position = self.position.max(head);
        }
    }

    /// Waits for the next items, and returns all waiting events at once. The future can be dropped
    /// and called again without loss.
    pub async fn next(&mut self) -> Result<FeedItem> {
        loop {
            // A connection with an invalid secret receives nothing more. A client that has ended
            // still receives what came before its end.
            if self.attachment.end() == Some(ConnectionEnd::SecretRotated) {
                return Ok(FeedItem::End(ConnectionEnd::SecretRotated));
            }
            if self.behind {
                let (chat, live, position) = (&self.chat, &self.live, self.position);
                let reading = self.reading.get_or_insert_with(|| {
                    let (chat, live) = (chat.clone(), live.clone());
                    Box::pin(async move { chat.page(&live, position, STREAM_PAGE).await })
                });
                let page = reading.await;
                self.reading = None;
                let page = match page {
                    Err(Error {
                        extra: Extra::Reason(reason),
                        ..
                    }) => return Ok(FeedItem::End(ConnectionEnd::ClientEnded(reason))),
                    page => page?,
                };
                // The gap comes alone first. The events come when the page is read again.
                if let Some((first, last)) = page.gap.filter(|(_, last)| *last > self.warned) {
                    self.warned = last;
                    return Ok(FeedItem::Gap(first, last));
                }
                self.position = page.next;
                self.behind = page.more;
                if !page.events.is_empty() {
                    return Ok(FeedItem::Events(
                        page.events
                            .into_iter()
                            .map(|e| Delivery::new(Arc::new(e)))
                            .collect(),
                    ));
                }
                continue;
            }
            let mut taken = self.attachment.take();
            if taken.overflowed {
                self.behind = true;
                continue;
            }
            // Events that were read from the log may have been pushed too, if they were committed
            // after attaching.
            taken
                .waiting
                .retain(|delivery| delivery.event.id > self.position);
            self.position = self.position.max(taken.head);
            if let Some(last) = taken.waiting.back() {
                self.position = self.position.max(last.event.id);
                return Ok(FeedItem::Events(taken.waiting));
            }
            if let Some(end) = taken
                .end
                .or_else(|| self.live.ended().map(ConnectionEnd::ClientEnded))
            {
                return Ok(FeedItem::End(end));
            }
            self.attachment.woken().await;
        }
    }
}
