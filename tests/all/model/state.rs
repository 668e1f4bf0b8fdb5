//! The model: the chat in its plainest form. It has no log by target and no intervals of
//! membership. When something happens, it writes down at once which sessions hear it.

use std::collections::{BTreeMap, BTreeSet};

use rejoin::{
    error::Code,
    model::{EndReason, SERVER_NAME},
};

mod queues;

/// A session, numbered in the order of creation.
pub type Key = usize;

#[derive(Debug)]
pub struct Session {
    pub nick: String,
    pub password: bool,
    pub away: Option<String>,
    /// The last message that it has read from each other session.
    pub read: BTreeMap<Key, i64>,
    pub silenced: Masks,
}

/// Masks made of folded nicks. Each holds the session that had the nick, under any later nick.
pub type Masks = BTreeMap<String, Option<Key>>;

/// A client, live or ended, numbered in the order of creation.
#[derive(Debug)]
pub struct Client {
    pub session: Key,
    pub id: i64,
    /// Its queue holds the events after this one.
    pub start: i64,
    /// Whether the beginning of its queue is set.
    pub begun: bool,
    pub acknowledged: i64,
    pub ended: Option<EndReason>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub op: bool,
    pub voice: bool,
    /// A count of the joins of all sessions. The member with the lowest number has been there
    /// longest.
    pub since: u64,
}

#[derive(Debug)]
pub struct Channel {
    pub name: String,
    pub members: BTreeMap<Key, Standing>,
    pub flags: BTreeSet<char>,
    pub key: Option<String>,
    pub limit: Option<u32>,
    /// The text, and the nick that set it.
    pub topic: Option<(String, String)>,
    pub bans: Masks,
    /// The invited sessions, and whether only the inviter knows.
    pub invited: BTreeMap<Key, bool>,
    pub read: BTreeMap<Key, i64>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub id: i64,
    pub source: String,
    pub command: &'static str,
    pub params: Vec<String>,
    /// The session that caused it.
    pub by: Key,
    pub hears: BTreeSet<Key>,
    /// For a direct message: its recipient, even if the recipient silences the sender.
    pub with: Option<Key>,
    /// Whether the server caused it because of the event before it. Then its id is the next one,
    /// and no answer has it.
    pub consequence: bool,
    /// The client whose command caused it, and the command's label.
    pub label: Option<(usize, String)>,
}

impl Event {
    fn is_said(&self) -> bool {
        ["PRIVMSG", "NOTICE"].contains(&self.command)
    }
}

/// The number of unread messages, and whether one of them names the reader.
pub type Unread = (usize, bool);

/// The numerics and commands of the replies, or the refusal.
pub type Answer = Result<Vec<&'static str>, Code>;

#[derive(Debug)]
pub struct Model {
    pub max_clients: usize,
    pub max_channels: usize,
    /// The live sessions.
    pub sessions: BTreeMap<Key, Session>,
    /// The last nicks of ended sessions.
    pub ended: BTreeMap<Key, String>,
    pub clients: Vec<Client>,
    /// The channels with members, by folded name.
    pub channels: BTreeMap<String, Channel>,
    pub log: Vec<Event>,
    /// The events of the last step, before the server has told their ids.
    pub fresh: Vec<Event>,
    pub head: i64,
    pub joins: u64,
    made: Key,
}

pub fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

impl Model {
    pub fn new(max_clients: usize, max_channels: usize, head: i64) -> Self {
        Self {
            max_clients,
            max_channels,
            head,
            sessions: BTreeMap::new(),
            ended: BTreeMap::new(),
            clients: Vec::new(),
            channels: BTreeMap::new(),
            log: Vec::new(),
            fresh: Vec::new(),
            joins: 0,
            made: 0,
        }
    }

    pub fn live(&self) -> Vec<usize> {
        (0..self.clients.len())
            .filter(|n| self.clients[*n].ended.is_none())
            .collect()
    }

    pub fn live_of(&self, session: Key) -> Vec<usize> {
        self.live()
            .into_iter()
            .filter(|n| self.clients[*n].session == session)
            .collect()
    }

    pub fn find(&self, nick: &str) -> Option<Key> {
        self.sessions
            .iter()
            .find(|(_, session)| folded(&session.nick) == folded(nick))
            .map(|(key, _)| *key)
    }

    /// Creates a session. `admit` adds its client.
    pub fn create(&mut self, nick: &str) -> Result<Key, Code> {
        if self.find(nick).is_some() {
            return Err(Code::NicknameInUse);
        }
        self.made += 1;
        let session = Session {
            nick: nick.to_owned(),
            password: false,
            away: None,
            read: BTreeMap::new(),
            silenced: Masks::new(),
        };
        self.sessions.insert(self.made, session);
        Ok(self.made)
    }

    /// The session of a login, and the client that it replaces.
    pub fn login(
        &self,
        nick: &str,
        right: bool,
        replace: Option<usize>,
    ) -> Result<(Key, Option<usize>), Code> {
        let session = self
            .find(nick)
            .filter(|key| right && self.sessions[key].password)
            .ok_or(Code::LoginFailed)?;
        let live = self.live_of(session);
        let replaced = replace.filter(|client| live.contains(client));
        if live.len() >= self.max_clients && replaced.is_none() {
            return Err(Code::TooManyClients);
        }
        Ok((session, replaced))
    }

    pub fn admit(&mut self, session: Key, id: i64) {
        let (start, begun, ended) = (self.head, false, None);
        self.clients.push(Client {
            session,
            id,
            start,
            begun,
            acknowledged: start,
            ended,
        });
    }

    /// Ends a client. A session ends with its last client.
    pub fn leave(&mut self, client: usize, reason: EndReason, saying: Option<&str>) {
        self.clients[client].ended = Some(reason);
        let session = self.clients[client].session;
        if self.live_of(session).is_empty() {
            self.end(session, reason, saying);
        }
    }

    pub fn end(&mut self, key: Key, reason: EndReason, saying: Option<&str>) {
        let hears = self.acquainted(key);
        self.happens(key, "QUIT", [saying.unwrap_or(reason.sentence())], hears);
        for client in self.live_of(key) {
            self.clients[client].ended = Some(reason);
        }
        for channel in self.channels.values_mut() {
            channel.invited.remove(&key);
        }
        for name in self.channels_of(key) {
            self.depart(&name, key);
        }
        self.ended.extend(
            self.sessions
                .remove(&key)
                .map(|session| (key, session.nick)),
        );
        for held in self.masks().flat_map(|masks| masks.values_mut()) {
            *held = held.filter(|held| *held != key);
        }
    }

    /// The session's channels in the order in which it joined them.
    pub fn channels_of(&self, key: Key) -> Vec<String> {
        let own = self
            .channels
            .iter()
            .filter_map(|(name, channel)| Some((channel.members.get(&key)?.since, name)));
        own.collect::<BTreeMap<_, _>>()
            .into_values()
            .cloned()
            .collect()
    }

    /// Removes a member from a channel. A channel ends with its last member. If its last op leaves,
    /// another member becomes op.
    pub fn depart(&mut self, name: &str, key: Key) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        let Some(was) = channel.members.remove(&key) else {
            return;
        };
        if channel.members.is_empty() {
            self.channels.remove(name);
        } else if was.op && !channel.has_op() {
            let members = self.channels[name].members.iter();
            let voiced = members.clone().filter(|(_, standing)| standing.voice);
            let fit = members.filter(|(member, _)| !self.is_banned(name, **member));
            let longest = |(_, standing): &(&Key, &Standing)| standing.since;
            if let Some((next, _)) = voiced
                .min_by_key(longest)
                .or_else(|| fit.min_by_key(longest))
            {
                self.give_op(name, *next);
            }
        }
    }

    /// Makes a session op of a channel without ops, if no ban matches it. Called after it joins or
    /// changes its nick.
    pub fn consider(&mut self, name: &str, key: Key) {
        if !self.channels[name].has_op() && !self.is_banned(name, key) {
            self.give_op(name, key);
        }
    }

    fn give_op(&mut self, name: &str, key: Key) {
        let nick = self.sessions[&key].nick.clone();
        let channel = self.channels.get_mut(name).unwrap();
        channel.members.get_mut(&key).unwrap().op = true;
        let (name, hears) = (
            channel.name.clone(),
            channel.members.keys().copied().collect(),
        );
        self.happens(key, "MODE", [name, "+o".to_owned(), nick], hears);
        let event = self.fresh.last_mut().unwrap();
        (event.source, event.consequence) = (SERVER_NAME.to_owned(), true);
    }

    /// Whether a ban of a channel matches a session.
    pub fn is_banned(&self, name: &str, key: Key) -> bool {
        self.matches(&self.channels[name].bans, key)
    }

    /// Whether a session silences another.
    pub fn silences(&self, key: Key, other: Key) -> bool {
        key != other && self.matches(&self.sessions[&key].silenced, other)
    }

    fn matches(&self, masks: &Masks, key: Key) -> bool {
        masks.contains_key(&folded(&self.sessions[&key].nick))
            || masks.values().any(|held| *held == Some(key))
    }

    fn masks(&mut self) -> impl Iterator<Item = &mut Masks> {
        let bans = self.channels.values_mut().map(|channel| &mut channel.bans);
        bans.chain(
            self.sessions
                .values_mut()
                .map(|session| &mut session.silenced),
        )
    }
}

impl Channel {
    pub fn has_op(&self) -> bool {
        self.members.values().any(|standing| standing.op)
    }
}
