//! Pending invitations: those that were not used yet.

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId},
};

/// The most pending invitations to one channel, and the most of one session. Silenced ones are
/// counted separately, with the same limit.
const MAX_PENDING: i64 = 1000;

/// Adds an invitation that was made after the event `since`. Returns whether it is new. If the
/// channel or the session has too many, the oldest one is removed.
///
/// An invitation from a sender whom the session silences is kept so that its inviter sees no
/// difference. It does not let the session in, takes no place among the other invitations, and does
/// not block an invitation from somebody else.
pub fn add(
    tx: &Write,
    channel: ChannelId,
    session: SessionId,
    silenced: bool,
    since: EventId,
) -> Result<bool> {
    let added = tx.execute(
        "INSERT INTO invite (channel_id, session_id, silenced, since)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (channel_id, session_id) DO UPDATE
             SET silenced = FALSE, since = excluded.since
             WHERE invite.silenced AND NOT excluded.silenced",
        params![channel, session, silenced, since],
    )?;
    if added == 0 {
        return Ok(false);
    }
    tx.add_row(0, 3);
    // Silenced invitations displace only silenced ones, and the others only others.
    for sql in [
        "DELETE FROM invite WHERE channel_id = ?1 AND silenced = ?3
         AND (since, session_id) <= (SELECT since, session_id FROM invite WHERE channel_id = ?1
         AND silenced = ?3 AND session_id != ?2 ORDER BY since DESC, session_id DESC
         LIMIT 1 OFFSET ?4) AND session_id != ?2",
        "DELETE FROM invite WHERE session_id = ?2 AND silenced = ?3
         AND (since, channel_id) <= (SELECT since, channel_id FROM invite WHERE session_id = ?2
         AND silenced = ?3 AND channel_id != ?1 ORDER BY since DESC, channel_id DESC
         LIMIT 1 OFFSET ?4) AND channel_id != ?1",
    ] {
        tx.execute(sql, params![channel, session, silenced, MAX_PENDING - 1])?;
    }
    Ok(true)
}

/// Whether a session is invited to a channel. Silenced invitations do not count.
pub fn is_pending(tx: &Read, channel: ChannelId, session: SessionId) -> Result<bool> {
    tx.exists(
        "SELECT 1 FROM invite WHERE channel_id = ?1 AND session_id = ?2 AND NOT silenced",
        params![channel, session],
    )
}

/// Removes an invitation that was used, if there is one.
pub fn remove(tx: &Write, channel: ChannelId, session: SessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM invite WHERE channel_id = ?1 AND session_id = ?2",
        params![channel, session],
    )?;
    Ok(())
}

/// Removes all invitations to a channel that has ended.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<()> {
    tx.execute("DELETE FROM invite WHERE channel_id = ?1", params![channel])?;
    Ok(())
}

/// Removes all invitations of a session that has ended.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.execute("DELETE FROM invite WHERE session_id = ?1", params![session])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        irc::mode::Modes,
        model::{ChannelName, Nick, Timestamp},
        store::{TestConnection, channel, open_for_test, session, target},
    };

    /// A number of sessions and channels. The lists begin with those that were created last.
    struct World {
        _dir: tempfile::TempDir,
        sql: TestConnection,
        sessions: Vec<SessionId>,
        channels: Vec<ChannelId>,
    }

    fn world(sessions: usize, channels: usize) -> World {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp(0);
        let sql = open_for_test(&dir.path().join("i.db"));
        sql.execute_batch("BEGIN").unwrap();
        let tx = Write::new(&sql);
        let session = |n| {
            session::insert(
                &tx,
                target::insert(&tx).unwrap(),
                &Nick::parse(&format!("s{n}")).unwrap(),
                [127, 0, 0, 1].into(),
                now,
            )
        };
        let named = |n: usize| ChannelName::parse(&format!("#c{n}")).unwrap();
        let channel = |n| {
            channel::insert(
                &tx,
                target::insert(&tx).unwrap(),
                &named(n),
                Modes::new(),
                now,
            )
        };
        let mut sessions = (0..sessions)
            .map(|n| session(n).unwrap())
            .collect::<Vec<_>>();
        let mut channels = (0..channels)
            .map(|n| channel(n).unwrap().id)
            .collect::<Vec<_>>();
        sessions.reverse();
        channels.reverse();
        World {
            _dir: dir,
            sql,
            sessions,
            channels,
        }
    }

    /// Invitations are made in the reverse order of their channels' and sessions' ids, to show that
    /// only their age decides.
    #[test]
    fn the_oldest_invitation_is_removed_and_silenced_ones_do_not_count() {
        let many = MAX_PENDING as usize + 1;
        for of_session in [true, false] {
            let world = if of_session {
                world(1, many + 20)
            } else {
                world(many + 20, 1)
            };
            let tx = Write::new(&world.sql);
            let pair = |n: usize| match of_session {
                true => (world.channels[n], world.sessions[0]),
                false => (world.channels[0], world.sessions[n]),
            };
            let next = std::cell::Cell::new(0);
            let invite = |n: usize, silenced: bool| {
                // Each invitation is newer than those before it.
                next.set(next.get() + 1);
                let (channel, session) = pair(n);
                assert!(add(&tx, channel, session, silenced, EventId(next.get())).unwrap());
            };
            let pending = |n: usize| {
                let (channel, session) = pair(n);
                is_pending(&tx, channel, session).unwrap()
            };
            (0..many - 1).for_each(|n| invite(n, false));
            (many..many + 20).for_each(|n| invite(n, true));
            assert!(
                pending(0) && !pending(many),
                "silenced ones let no session in, and do not count"
            );
            invite(many - 1, false);
            assert!(
                !pending(0) && (1..many).all(pending),
                "the oldest was removed"
            );
            invite(many, false);
            assert!(
                !pending(1) && pending(many),
                "one that was silenced before is the newest now"
            );
        }
    }

    #[test]
    fn silenced_invitations_are_limited_too() {
        let many = MAX_PENDING as usize + 5;
        let world = world(1, many);
        let tx = Write::new(&world.sql);
        world.channels.iter().for_each(|channel| {
            assert!(add(&tx, *channel, world.sessions[0], true, EventId(0)).unwrap())
        });
        let kept: i64 = tx
            .one("SELECT count(*) FROM invite", params![], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, MAX_PENDING);
    }
}
