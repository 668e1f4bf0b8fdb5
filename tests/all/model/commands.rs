//! The model's commands: the effect of each on the state, the sessions that hear it, and its
//! answer.

use std::collections::{BTreeMap, BTreeSet};

use rejoin::error::Code;

use super::{
    state::{Answer, Channel, Key, Masks, Model, Standing, folded},
    steps::{Act, Change, channel, key, nick, position, target},
};

mod channel_rights;

impl Model {
    pub fn act(&mut self, client: usize, act: &Act, text: &str) -> Answer {
        let me = self.clients[client].session;
        match act {
            Act::Nick(n) => self.rename(me, nick(*n)),
            Act::Join { channels, key: n } => {
                let key = n.map(key);
                self.each(&names(channels, channel), |model, name| {
                    model.join(me, name, key)
                })
            }
            Act::Part { channels, reason } => self
                .each(&names(channels, channel), |model, name| {
                    model.part(me, name, reason.then_some(text))
                }),
            Act::Say { notice: true, to } => {
                for name in names(to, target) {
                    // A NOTICE is never answered.
                    let _ = self.say(me, "NOTICE", name, text);
                }
                Ok(Vec::new())
            }
            Act::Say { notice: false, to } => self.each(&names(to, target), |model, name| {
                model.say(me, "PRIVMSG", name, text)
            }),
            Act::Topic { channel: n, clear } => {
                self.topic(me, channel(*n), if *clear { "" } else { text })
            }
            Act::Mode {
                channel: n,
                changes,
            } => self.mode(me, channel(*n), changes),
            Act::Kick { channel: n, nicks } => self.kick(me, channel(*n), &names(nicks, nick)),
            Act::Invite {
                nick: who,
                channel: n,
            } => self.invite(me, nick(*who), channel(*n)),
            Act::Silence { nick: n, on } => self.silence(me, nick(*n), *on),
            Act::Away { text: away } => Ok(self.away(me, away.then_some(text))),
            Act::MarkRead { target: n, back } => {
                self.mark_read(me, target(*n), position(self.head, *back))
            }
            Act::Ack { back } => self
                .acknowledge(client, position(self.head, *back))
                .map(|()| Vec::new()),
        }
    }

    /// Runs a command for each name. Refusals become replies. If there is nothing else, the refusal
    /// is the answer.
    fn each(
        &mut self,
        names: &[&'static str],
        mut act: impl FnMut(&mut Self, &str) -> Answer,
    ) -> Answer {
        let (mut replies, mut done, mut refusal) = (Vec::new(), false, None);
        for name in names {
            match act(self, name) {
                Ok(more) => {
                    replies.extend(more);
                    done = true;
                }
                Err(code) => {
                    replies.push(code.numeric().unwrap_or("FAIL"));
                    refusal.get_or_insert(code);
                }
            }
        }
        refusal.filter(|_| !done).map_or(Ok(replies), Err)
    }

    fn rename(&mut self, me: Key, nick: &str) -> Answer {
        if self.sessions[&me].nick == nick {
            return Ok(Vec::new());
        }
        if self.find(nick).is_some_and(|other| other != me) {
            return Err(Code::NicknameInUse);
        }
        self.happens(me, "NICK", [nick], self.acquainted(me));
        self.sessions.get_mut(&me).unwrap().nick = nick.to_owned();
        for name in self.channels_of(me) {
            self.consider(&name, me);
        }
        Ok(Vec::new())
    }

    fn join(&mut self, me: Key, name: &str, key: Option<&str>) -> Answer {
        let on = self
            .channels
            .values()
            .filter(|channel| channel.members.contains_key(&me))
            .count();
        let banned = self.channels.contains_key(&folded(name)) && self.is_banned(&folded(name), me);
        let full = on >= self.max_channels;
        let found = self.channels.get_mut(&folded(name));
        let new = found.is_none();
        let already = found
            .as_ref()
            .is_some_and(|channel| channel.members.contains_key(&me));
        if !already && full {
            return Err(Code::TooManyChannels);
        }
        if let Some(channel) = found.filter(|_| !already) {
            if banned {
                return Err(Code::BannedFromChannel);
            }
            if channel.key.is_some() && channel.key.as_deref() != key {
                return Err(Code::BadChannelKey);
            }
            if channel.flags.contains(&'i') && channel.invited.get(&me) != Some(&false) {
                return Err(Code::InviteOnlyChannel);
            }
            if channel
                .limit
                .is_some_and(|limit| channel.members.len() >= limit as usize)
            {
                return Err(Code::ChannelIsFull);
            }
            channel.invited.remove(&me);
        }
        let channel = self
            .channels
            .entry(folded(name))
            .or_insert_with(|| Channel::new(name));
        self.joins += 1;
        channel.members.entry(me).or_insert(Standing {
            op: new,
            voice: false,
            since: self.joins,
        });
        let (name, members, topic) = (
            channel.name.clone(),
            channel.hears(),
            channel.topic.is_some(),
        );
        if !already {
            self.happens(me, "JOIN", [&name], members.clone());
            if let Some(away) = self.sessions[&me].away.clone().filter(|_| !new) {
                self.happens(me, "AWAY", [away], members);
            }
            self.consider(&folded(&name), me);
        }
        Ok(if topic {
            vec!["332", "333", "353", "366"]
        } else {
            vec!["353", "366"]
        })
    }

    fn part(&mut self, me: Key, name: &str, reason: Option<&str>) -> Answer {
        let channel = self.own(me, name)?;
        let (name, hears) = (channel.name.clone(), channel.hears());
        self.happens(me, "PART", [&name[..]].into_iter().chain(reason), hears);
        self.depart(&folded(&name), me);
        Ok(Vec::new())
    }

    fn say(&mut self, me: Key, verb: &'static str, target: &str, text: &str) -> Answer {
        if !target.starts_with('#') {
            let other = self.find(target).ok_or(Code::NoSuchNick)?;
            let (name, away) = (
                self.sessions[&other].nick.clone(),
                self.sessions[&other].away.is_some(),
            );
            let hears = if self.silences(other, me) {
                BTreeSet::from([me])
            } else {
                BTreeSet::from([me, other])
            };
            self.happens(me, verb, [&name, text], hears);
            self.fresh.last_mut().unwrap().with = Some(other);
            return Ok(if away && verb == "PRIVMSG" {
                vec!["301"]
            } else {
                Vec::new()
            });
        }
        let channel = self
            .channels
            .get(&folded(target))
            .ok_or(Code::NoSuchChannel)?;
        let member = channel.members.get(&me);
        let standing = member.is_some_and(|member| member.op || member.voice);
        let banned = self.is_banned(&folded(target), me);
        let outside = member.is_none() && channel.flags.contains(&'n');
        if outside || (!standing && (banned || channel.flags.contains(&'m'))) {
            return Err(Code::CannotSendToChannel);
        }
        let (name, mut hears) = (channel.name.clone(), channel.hears());
        hears.insert(me);
        self.happens(me, verb, [&name, text], hears);
        Ok(Vec::new())
    }

    fn topic(&mut self, me: Key, name: &str, text: &str) -> Answer {
        let nick = self.sessions[&me].nick.clone();
        self.own(me, name)?;
        let banned = self.is_banned(&folded(name), me);
        let channel = self.own(me, name)?;
        if channel.flags.contains(&'t') && !channel.members[&me].op {
            return Err(Code::ChanopNeeded);
        }
        let standing = &channel.members[&me];
        if banned && !standing.op && !standing.voice {
            return Err(Code::CannotSendToChannel);
        }
        channel.topic = (!text.is_empty()).then(|| (text.to_owned(), nick));
        let (name, hears) = (channel.name.clone(), channel.hears());
        self.happens(me, "TOPIC", [&name, text], hears);
        Ok(Vec::new())
    }
}

impl Channel {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            members: BTreeMap::new(),
            flags: BTreeSet::from(['n', 't']),
            key: None,
            limit: None,
            topic: None,
            bans: BTreeMap::new(),
            invited: BTreeMap::new(),
            read: BTreeMap::new(),
        }
    }

    fn hears(&self) -> BTreeSet<Key> {
        self.members.keys().copied().collect()
    }
}

/// Adds a mask made of a nick. Returns whether it is new.
fn insert(masks: &mut Masks, nick: &str, holder: Option<Key>) -> bool {
    let new = !masks.contains_key(&folded(nick));
    masks.entry(folded(nick)).or_insert(holder);
    new
}

/// The names that these numbers stand for, without duplicates.
fn names(numbers: &[u8], name: fn(u8) -> &'static str) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    numbers
        .iter()
        .map(|n| name(*n))
        .filter(|name| seen.insert(folded(name)))
        .collect()
}
