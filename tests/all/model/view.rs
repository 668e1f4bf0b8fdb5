//! The view that a client has of its session: read from a snapshot, taken from the model, or built
//! by applying events.

use std::collections::{BTreeMap, BTreeSet};

use rejoin::model::SERVER_NAME;
use serde_json::Value;

use super::state::{Key, Model, Session, Unread, folded};
use crate::support::{JsonAnswer, Message, params};

#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub nick: String,
    pub password: bool,
    pub away: Option<String>,
    /// By folded name. `None`: the session joined the channel since the snapshot, and the events
    /// alone do not describe it.
    pub channels: BTreeMap<String, Option<ChannelView>>,
    /// In the order of the snapshot: the nick, whether that session has ended, the read marker, and
    /// the unread messages.
    pub directs: Vec<(String, bool, i64, Unread)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ChannelView {
    pub name: String,
    pub flags: BTreeSet<char>,
    pub key: Option<String>,
    pub limit: Option<u32>,
    /// The text, the nick that set it, and the time.
    pub topic: Option<(String, String, String)>,
    /// Whether each is op, has voice, and is away.
    pub members: BTreeMap<String, (bool, bool, bool)>,
    pub read: i64,
    pub unread: Unread,
}

impl View {
    /// The view in a snapshot.
    pub fn read(snapshot: &Value) -> Self {
        let session = &snapshot["session"];
        let channels = snapshot["channels"].items().iter().map(|channel| {
            let view = ChannelView::read(channel);
            (folded(&view.name), Some(view))
        });
        let directs = snapshot["directs"].items().iter();
        Self {
            nick: text(&session["nick"]),
            password: session["has_password"].as_bool().unwrap(),
            away: session["away"].as_str().map(str::to_owned),
            channels: channels.collect(),
            directs: directs
                .map(|direct| {
                    let ended = direct["ended"].as_bool().unwrap_or(false);
                    (
                        text(&direct["nick"]),
                        ended,
                        direct["read"].as_i64().unwrap(),
                        unread(direct),
                    )
                })
                .collect(),
        }
    }

    /// The view in the model. The model does not know the times of topics.
    pub fn of(model: &Model, key: Key) -> Self {
        let session = &model.sessions[&key];
        let own = model
            .channels
            .iter()
            .filter(|(_, channel)| channel.members.contains_key(&key));
        let channels = own.map(|(name, channel)| {
            let members = channel.members.iter().map(|(key, standing)| {
                let Session { nick, away, .. } = &model.sessions[key];
                (nick.clone(), (standing.op, standing.voice, away.is_some()))
            });
            let read = channel.read.get(&key).copied().unwrap_or(0);
            let view = ChannelView {
                name: channel.name.clone(),
                flags: channel.flags.clone(),
                key: channel.key.clone(),
                limit: channel.limit,
                topic: channel
                    .topic
                    .clone()
                    .map(|(text, by)| (text, by, String::new())),
                members: members.collect(),
                read,
                unread: model.unread_on(key, name, read),
            };
            (name.clone(), Some(view))
        });
        Self {
            nick: session.nick.clone(),
            password: session.password,
            away: session.away.clone(),
            channels: channels.collect(),
            directs: model.conversations(key),
        }
    }

    pub fn without_times(mut self) -> Self {
        for (_, _, time) in self
            .channels
            .values_mut()
            .flatten()
            .filter_map(|channel| channel.topic.as_mut())
        {
            time.clear();
        }
        self
    }

    /// Copies from a later view what events do not tell. The answer to JOIN describes a joined
    /// channel, but only to the client that sent it. A view has only the number of unread messages.
    /// The other side of a conversation may rename itself or quit unseen.
    pub fn completed(mut self, later: &Self) -> Self {
        for (name, channel) in &mut self.channels {
            let later = later.channels.get(name).cloned().flatten();
            match (channel, later) {
                (Some(channel), Some(later)) => channel.unread = later.unread,
                (channel, later) => *channel = channel.take().or(later),
            }
        }
        self.directs = later.directs.clone();
        self
    }

    /// Applies an event of the queue.
    pub fn apply(&mut self, event: &Message) {
        let (source, command, params) = (&*event.source, &*event.command, params(event));
        let mine = source == self.nick;
        let named = params.first().map(|name| folded(name)).unwrap_or_default();
        let known = self.channels.get_mut(&named).and_then(Option::as_mut);
        match (command, known) {
            ("NOTICE", _) if source == SERVER_NAME => self.password = true,
            ("JOIN", _) if mine => drop(self.channels.insert(named, None)),
            ("PART", _) if mine => drop(self.channels.remove(&named)),
            ("KICK", _) if params[1] == self.nick => drop(self.channels.remove(&named)),
            ("JOIN", Some(channel)) => drop(
                channel
                    .members
                    .insert(source.to_owned(), (false, false, false)),
            ),
            ("PART", Some(channel)) => drop(channel.members.remove(source)),
            ("KICK", Some(channel)) => drop(channel.members.remove(params[1])),
            ("TOPIC", Some(channel)) => {
                let topic = (params[1].to_owned(), source.to_owned(), event.time.clone());
                channel.topic = Some(topic).filter(|(text, ..)| !text.is_empty());
            }
            ("MODE", Some(channel)) => channel.change(&params[1..]),
            ("MARKREAD", Some(channel)) => channel.read = params[1].parse().unwrap(),
            ("QUIT", _) => self.everywhere(|members| {
                members.remove(source);
            }),
            ("NICK", _) => {
                self.everywhere(|members| {
                    if let Some(member) = members.remove(source) {
                        members.insert(params[0].to_owned(), member);
                    }
                });
                if mine {
                    self.nick = params[0].to_owned();
                }
            }
            ("AWAY", _) => {
                self.everywhere(|members| {
                    if let Some((_, _, away)) = members.get_mut(source) {
                        *away = !params.is_empty();
                    }
                });
                if mine {
                    self.away = params.first().map(|text| (*text).to_owned());
                }
            }
            _ => {}
        }
    }

    fn everywhere(&mut self, mut change: impl FnMut(&mut BTreeMap<String, (bool, bool, bool)>)) {
        self.channels
            .values_mut()
            .flatten()
            .for_each(|channel| change(&mut channel.members));
    }
}

impl ChannelView {
    fn read(channel: &Value) -> Self {
        let modes = text(&channel["modes"]);
        let mut words = modes.split(' ');
        let letters = words.next().unwrap().strip_prefix('+').unwrap();
        let mut value = |letter| {
            letters
                .contains(letter)
                .then(|| words.next().unwrap().to_owned())
        };
        let (key, limit) = (value('k'), value('l').map(|limit| limit.parse().unwrap()));
        let topic = Some(&channel["topic"]).filter(|topic| !topic.is_null());
        let members = channel["members"].items().iter().map(|member| {
            let is = |what: &str| member[what].as_bool().unwrap();
            (text(&member["nick"]), (is("op"), is("voice"), is("away")))
        });
        Self {
            name: text(&channel["name"]),
            flags: letters
                .chars()
                .filter(|letter| !"kl".contains(*letter))
                .collect(),
            key,
            limit,
            topic: topic.map(|topic| {
                (
                    text(&topic["text"]),
                    text(&topic["set_by"]),
                    text(&topic["set_at"]),
                )
            }),
            members: members.collect(),
            read: channel["read"].as_i64().unwrap(),
            unread: unread(channel),
        }
    }

    fn change(&mut self, params: &[&str]) {
        let (letters, mut arguments) = (params[0], params[1..].iter());
        let mut on = true;
        for letter in letters.chars() {
            match letter {
                '+' | '-' => on = letter == '+',
                'l' if !on => self.limit = None,
                'l' => self.limit = Some(arguments.next().unwrap().parse().unwrap()),
                'k' => self.key = arguments.next().filter(|_| on).map(|key| (*key).to_owned()),
                'o' => self.members.get_mut(*arguments.next().unwrap()).unwrap().0 = on,
                'v' => self.members.get_mut(*arguments.next().unwrap()).unwrap().1 = on,
                'b' => drop(arguments.next()),
                flag if on => drop(self.flags.insert(flag)),
                flag => drop(self.flags.remove(&flag)),
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn unread(of: &Value) -> Unread {
    let unread = &of["unread"];
    (
        unread["count"].as_u64().unwrap() as usize,
        unread["mention"].as_bool().unwrap(),
    )
}
