//! Who sees what: the only way to find channels and sessions by their names.
//!
//! A caller whose grant has `res` sees the channels that `res` names and nothing else. Everything
//! outside looks as if it did not exist. No other code finds a channel or a session by its name, so
//! no command can forget the check.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    error::{Error, Result},
    irc::{
        glob::{self, Candidate},
        mask::Mask,
        mode::Shown,
    },
    model::{Authority, Caller, ChannelId, ChannelName, EventId, Nick, Page, SessionId},
    store::{
        Read,
        app_grant::{self, Grant, Terms},
        channel::{self, Channel},
        conversation::{self, Conversation},
        joined::{self, Joined, Selection},
        membership::{self, Member},
        queue::{self, PageSize},
        session::{self, PastSession, Session},
        session_mask::SessionMask,
    },
};

/// What a caller may see of the chat, in one transaction.
pub struct Visibility<'a> {
    /// The transaction to read in.
    pub tx: &'a Read<'a>,
    restriction: Option<Restriction>,
}

/// What a confined caller sees: itself, and the channels with these folded names. A channel that is
/// created again under such a name is seen too.
struct Restriction {
    me: SessionId,
    channels: BTreeSet<String>,
}

impl<'a> Visibility<'a> {
    /// Sees everything. For work that has no caller, and for what is shown to everybody.
    pub fn unrestricted(tx: &'a Read<'a>) -> Self {
        Self {
            tx,
            restriction: None,
        }
    }

    /// Sees what this caller may see.
    pub fn of(tx: &'a Read<'a>, caller: Caller) -> Result<Self> {
        match caller.authority {
            Authority::Grant(granted) if granted.confined => {
                let res = app_grant::res(tx, granted.id)?.unwrap_or_default();
                Ok(Self::restricted_to(tx, caller.session, &res))
            }
            _ => Ok(Self::unrestricted(tx)),
        }
    }

    /// Sees what this grant may see.
    pub fn for_grant(tx: &'a Read<'a>, grant: &Grant) -> Self {
        match grant.terms() {
            Some(Terms {
                session,
                res: Some(res),
                ..
            }) => Self::restricted_to(tx, *session, res),
            _ => Self::unrestricted(tx),
        }
    }

    /// Sees the session `me` and the channels in `res`.
    pub fn restricted_to(tx: &'a Read<'a>, me: SessionId, res: &[ChannelName]) -> Self {
        Self {
            tx,
            restriction: Some(Restriction {
                me,
                channels: res.iter().map(ChannelName::folded).collect(),
            }),
        }
    }

    /// Whether it sees everything.
    pub fn is_unrestricted(&self) -> bool {
        self.restriction.is_none()
    }

    /// Fails with `insufficient_scope` if the caller is confined, because what it asks is about the
    /// whole session.
    pub fn require_unrestricted(&self) -> Result<()> {
        if self.is_unrestricted() {
            Ok(())
        } else {
            Err(Error::confined())
        }
    }

    /// Whether the caller would see a channel of this name.
    fn holds(&self, name: &ChannelName) -> bool {
        self.restriction
            .as_ref()
            .is_none_or(|restriction| restriction.channels.contains(&name.folded()))
    }

    /// Fails with `no_such_channel` if the caller may not see a channel of this name, whether or
    /// not there is one.
    pub fn require(&self, name: &ChannelName) -> Result<()> {
        if self.holds(name) {
            Ok(())
        } else {
            Err(Error::no_such_channel(name))
        }
    }

    /// The live channel of this name, if the caller sees it.
    pub fn find_channel(&self, name: &ChannelName) -> Result<Option<Channel>> {
        if self.holds(name) {
            channel::by_name(self.tx, name)
        } else {
            Ok(None)
        }
    }

    /// The live channel of this name. It fails with `no_such_channel`.
    pub fn channel(&self, name: &ChannelName) -> Result<Channel> {
        self.find_channel(name)?
            .ok_or_else(|| Error::no_such_channel(name))
    }

    /// How much of a visible channel a session is shown: everything to a member, and to others what
    /// the channel's modes allow.
    pub fn shown(&self, channel: &Channel, session: SessionId) -> Result<Shown> {
        Ok(match channel.modes.shown_outside() {
            Shown::Everything => Shown::Everything,
            _ if membership::get(self.tx, channel.id, session)?.is_some() => Shown::Everything,
            outside => outside,
        })
    }

    /// The live channels that LIST shows a session: its own and the largest others, at most
    /// `limit`, with their numbers of members, in the order of their names. Also returns whether
    /// these are all.
    pub fn listed_channels(
        &self,
        session: SessionId,
        limit: usize,
    ) -> Result<(Vec<(Channel, i64)>, bool)> {
        let mut listed = BTreeMap::new();
        let mut add = |channel: Channel, members: i64| {
            listed.insert(channel.name.folded(), (channel, members))
        };
        for joined in self.joined(session)? {
            add(joined.channel, joined.members);
        }
        let others = match &self.restriction {
            Some(restriction) => self.live(&restriction.channels)?,
            None => channel::largest(self.tx, limit + 1)?,
        };
        others
            .into_iter()
            .for_each(|(channel, members)| drop(add(channel, members)));
        let mut channels = Vec::from_iter(listed.into_values());
        let complete = channels.len() <= limit;
        if !complete {
            channels.sort_by_key(|(_, members)| Reverse(*members));
            channels.truncate(limit);
            channels.sort_by_cached_key(|(channel, _)| channel.name.folded());
        }
        Ok((channels, complete))
    }

    /// Those of these channels that are live, with their numbers of members.
    fn live(&self, names: &BTreeSet<String>) -> Result<Vec<(Channel, i64)>> {
        let mut live = Vec::new();
        for name in names {
            if let Some(channel) = channel::by_name(self.tx, &ChannelName::stored(name.clone()))? {
                let members = membership::count(self.tx, channel.id)?;
                live.push((channel, members));
            }
        }
        Ok(live)
    }

    /// The visible channels that a session is on, in the order in which it joined them.
    pub fn channels_of(&self, session: SessionId) -> Result<Vec<Channel>> {
        let mut channels = membership::channels(self.tx, session)?;
        channels.retain(|channel| self.holds(&channel.name));
        Ok(channels)
    }

    /// Like [`Self::channels_of`], with what a snapshot shows of each.
    pub fn joined(&self, session: SessionId) -> Result<Vec<Joined>> {
        let mut joined = joined::of(self.tx, session)?;
        joined.retain(|joined| self.holds(&joined.channel.name));
        Ok(joined)
    }

    /// The members of the visible channels that a session is on, each channel's by nick. Only those
    /// of channels that the session joined by the event `since` or before, and, with `members`, of
    /// channels that have no more members than this.
    pub fn members_of_joined(
        &self,
        session: SessionId,
        since: EventId,
        members: Option<i64>,
    ) -> Result<BTreeMap<ChannelId, Vec<Member>>> {
        let selection = Selection {
            within: self.within(),
            since,
            members,
        };
        joined::members(self.tx, session, selection)
    }

    /// The folded names of the channels to which the caller is confined.
    fn within(&self) -> Option<&BTreeSet<String>> {
        self.restriction
            .as_ref()
            .map(|restriction| &restriction.channels)
    }

    /// The live session with this nick. A confined caller sees itself and the members of the
    /// channels it sees.
    pub fn find_session(&self, nick: &Nick) -> Result<Option<Session>> {
        let Some(session) = session::by_nick(self.tx, nick)? else {
            return Ok(None);
        };
        let seen = match &self.restriction {
            Some(restriction) => {
                session.id == restriction.me || !self.channels_of(session.id)?.is_empty()
            }
            None => true,
        };
        Ok(Some(session).filter(|_| seen))
    }

    /// The live session with this nick. It fails with `no_such_nick`.
    pub fn session(&self, nick: &Nick) -> Result<Session> {
        self.find_session(nick)?
            .ok_or_else(|| Error::no_such_nick(nick.as_str()))
    }

    /// The sessions whose nicks match a mask, at most `limit`, in the order of their nicks. Also
    /// returns whether these are all.
    pub fn sessions(&self, mask: &str, limit: usize) -> Result<(Vec<Session>, bool)> {
        let Some(restriction) = &self.restriction else {
            return session::fitting(self.tx, mask, limit);
        };
        let me = session::get(self.tx, restriction.me)?;
        let mut seen = BTreeMap::from([(me.nick.folded(), me)]);
        for channel in &restriction.channels {
            let members = session::on_channel(self.tx, channel)?.into_iter();
            seen.extend(members.map(|member| (member.nick.folded(), member)));
        }
        seen.retain(|nick, _| glob::fits(mask, nick));
        let complete = seen.len() <= limit;
        Ok((seen.into_values().take(limit).collect(), complete))
    }

    /// The live session with this nick, to exchange direct messages with. It fails with
    /// `no_such_nick`, and always does for a confined caller.
    pub fn correspondent(&self, nick: &Nick) -> Result<Session> {
        if self.is_unrestricted() {
            self.session(nick)
        } else {
            Err(Error::no_such_nick(nick.as_str()))
        }
    }

    /// A session, live or ended, with which direct messages may have been exchanged. It fails with
    /// `no_such_nick`, and always does for a confined caller.
    pub fn past_correspondent(&self, id: SessionId) -> Result<PastSession> {
        let found = if self.is_unrestricted() {
            session::find_past(self.tx, id)?
        } else {
            None
        };
        found.ok_or_else(|| Error::no_such_nick("*"))
    }

    /// The mask of a ban or SILENCE, as it is set now. A mask that contains a nick also holds the
    /// session that has the nick now, if the caller sees that session and the whole mask matches
    /// it.
    pub fn mask(&self, mask: Mask) -> Result<SessionMask> {
        let session = mask
            .nick()
            .map(|nick| self.find_session(&nick))
            .transpose()?
            .flatten();
        let bound_session = session
            .filter(|session| mask.matches(&Candidate::new(session.mask())))
            .map(|session| session.id);
        Ok(SessionMask {
            mask,
            bound_session,
        })
    }

    /// A page of a session's queue past the event `after`, without what the caller may not see.
    pub fn page(
        &self,
        session: SessionId,
        after: EventId,
        size: impl Into<PageSize>,
    ) -> Result<Page> {
        queue::page(self.tx, session, self.within(), after, size)
    }

    /// The same page as a node on a database reached over a network reads it.
    #[cfg(test)]
    pub fn page_in_one_statement(
        &self,
        session: SessionId,
        after: EventId,
        size: impl Into<PageSize>,
    ) -> Result<Page> {
        queue::one_statement::page(self.tx, session, self.within(), after, size.into())
    }

    /// The session's conversations of direct messages, in the order in which they are shown. A
    /// confined caller sees none.
    pub fn conversations(&self, me: SessionId) -> Result<Vec<Conversation>> {
        if self.is_unrestricted() {
            conversation::of_session(self.tx, me)
        } else {
            Ok(Vec::new())
        }
    }
}
