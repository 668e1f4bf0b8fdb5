//! The snapshot: everything that a client needs at once, read in one transaction.

use std::sync::Arc;

use crate::{
    chat::running::Chat,
    error::Result,
    model::{
        Caller, ChannelView, DirectView, EventId, MemberView, SessionView, Snapshot, TopicView,
    },
    session::{LiveClient, Visibility},
    store::{
        Priority, Read, Write, client, conversation::Conversation, joined::Joined, log, membership,
        session, unread,
    },
};

/// Members that a snapshot shows of all its channels together, at most. An answer is held in memory
/// until its reader has it.
const MAX_MEMBERS: i64 = 10_000;

impl From<session::Session> for SessionView {
    fn from(session: session::Session) -> Self {
        Self {
            id: session.id,
            nick: session.nick.to_string(),
            has_password: session.password_hash.is_some(),
            away: session.away,
            created_at: session.created_at,
        }
    }
}

impl Chat {
    /// The caller's snapshot. With `acknowledges`, a client's first snapshot begins its queue,
    /// which is the only write.
    ///
    /// Every field changes only by an event. Therefore the snapshot of a session without channels
    /// and conversations is remembered until an event reaches the session.
    pub async fn snapshot(&self, live: &LiveClient, acknowledges: bool) -> Result<Snapshot> {
        // The head is read first: every event pushed up to it has already been counted as a change.
        let head = self.hub.head();
        let mut snapshot = match live.remembered() {
            Some(known) => Snapshot {
                cursor: known.cursor.max(head),
                ..Snapshot::clone(&known)
            },
            None => Box::pin(self.read_snapshot(live, acknowledges)).await?,
        };
        snapshot.acknowledged = live.cursor();
        live.note_use(&mut snapshot.client);
        Ok(snapshot)
    }

    async fn read_snapshot(&self, live: &LiveClient, acknowledges: bool) -> Result<Snapshot> {
        // Both are read before the transaction begins. A change that the transaction may not have
        // seen counts as one more.
        let (begun, changes) = (live.begun(), live.changes());
        let snapshot = self.read_in_transaction(live.caller).await?;
        if acknowledges && !begun {
            match self.begin_queue(live, snapshot.cursor).await {
                // Two first snapshots came at the same time, and the other one began the queue past
                // what this one shows.
                Ok(start) if start > snapshot.cursor => {
                    return self.read_in_transaction(live.caller).await;
                }
                Ok(_) => {}
                // Not even the disk's reserve is left. The next snapshot begins the queue; until
                // then the queue also shows earlier events.
                Err(error) if error.is_want_of_room() => return Ok(snapshot),
                Err(error) => return Err(error),
            }
        }
        // A snapshot that is remembered before the queue begins would keep the queue from
        // beginning.
        if snapshot.is_alone() && (begun || acknowledges) {
            live.remember(changes, Arc::new(snapshot.clone()));
        }
        Ok(snapshot)
    }

    async fn read_in_transaction(&self, caller: Caller) -> Result<Snapshot> {
        self.core.read_as(caller, move |tx| read(tx, caller)).await
    }

    /// Begins a client's queue after its first snapshot, unless it has begun, and returns where it
    /// begins. The snapshot was read before, by a reader: it may take long, and must not delay the
    /// writer.
    async fn begin_queue(&self, live: &LiveClient, at: EventId) -> Result<EventId> {
        let client = live.caller.client;
        let begin = move |tx: &Write| {
            client::begin_queue(tx, client, at)?;
            client::queue_start(tx, client)
        };
        let start = self
            .core
            .write_as(live.caller, Priority::Essential, begin)
            .await?;
        live.begin(start);
        Ok(start)
    }
}

impl Snapshot {
    /// Whether it shows nothing of other sessions. Their changes may not reach this session.
    fn is_alone(&self) -> bool {
        self.channels.is_empty() && self.directs.is_empty()
    }
}

/// The largest share such that all channels together stay within `room`, if each takes what it
/// needs up to the share.
fn largest_share(wanted: &[i64], mut room: i64) -> i64 {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    for (n, wanted_here) in wanted.iter().enumerate() {
        let share = room / (wanted.len() - n) as i64;
        if *wanted_here > share {
            return share;
        }
        room -= wanted_here;
    }
    i64::MAX
}

fn read(tx: &Read, caller: Caller) -> Result<Snapshot> {
    let visibility = Visibility::of(tx, caller)?;
    let session = session::get(tx, caller.session)?;
    let mut client = client::own_view(tx, caller.client)?;
    client.show_to(caller);
    let joined = visibility.joined(caller.session)?;
    let counts: Vec<_> = joined.iter().map(|joined| joined.members).collect();
    let share = largest_share(&counts, MAX_MEMBERS);
    let most = (share < i64::MAX).then_some(share);
    let mut members = visibility.members_of_joined(session.id, EventId(i64::MAX), most)?;
    let channels = joined.into_iter().map(|joined| {
        let Joined {
            channel,
            members: count,
            read,
            ..
        } = joined;
        // A client gets the position 0 if nothing was read.
        let read = read.unwrap_or(EventId(0));
        let is_whole = count <= share;
        let members = match is_whole {
            true => members.remove(&channel.id).unwrap_or_default(),
            false => membership::foremost_of_channel(
                tx,
                channel.id,
                session.id,
                share.unsigned_abs() as usize,
            )?,
        };
        let members = members.into_iter().map(|member| MemberView {
            nick: member.nick.to_string(),
            op: member.op,
            voice: member.voice,
            away: member.away,
        });
        Ok(ChannelView {
            members: members.collect(),
            member_count: (!is_whole).then_some(count),
            modes: channel.modes.render(true),
            read,
            unread: unread::of_channel(tx, &session, channel.id, read)?,
            name: channel.name.to_string(),
            topic: channel.topic.map(|t| TopicView {
                text: t.text,
                set_by: t.set_by,
                set_at: t.set_at,
            }),
        })
    });
    let channels = channels.collect::<Result<_>>()?;
    let directs = visibility.conversations(caller.session)?.into_iter().map(
        |Conversation {
             other,
             nick,
             ended,
             read,
         }| {
            let unread = unread::of_exchange(tx, &session, other, read)?;
            Ok(DirectView {
                nick: nick.to_string(),
                session: other,
                read,
                unread,
                ended,
            })
        },
    );
    let directs = directs.collect::<Result<_>>()?;
    let cursor = log::head(tx)?;
    let mut session = SessionView::from(session);
    if caller.is_confined() {
        // These two are about the whole session.
        (session.has_password, session.away) = (false, None);
    }
    Ok(Snapshot {
        session,
        client,
        channels,
        directs,
        cursor,
        acknowledged: cursor,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn small_channels_are_complete_and_the_largest_share_the_rest(counts in prop::collection::vec(1..60_i64, 0..20), room in 20..400_i64) {
            let share = largest_share(&counts, room);
            let shown = |share: i64| counts.iter().map(|count| *count.min(&share)).sum::<i64>();
            prop_assert!(share >= 1 && shown(share) <= room);
            prop_assert!(share == i64::MAX || shown(share + 1) > room, "{} would fit too", share + 1);
        }
    }
}
