//! The events that happened, and the clients that must receive each.

use std::collections::HashMap;

use crate::support::Message;

/// One event, as its recipients receive it.
#[derive(Clone)]
pub struct Happened {
    pub id: i64,
    pub message: Message,
    /// The client that caused the event and the label of its command, if the event came from a
    /// labelled command.
    pub origin: Option<(i64, String)>,
    pub to: To,
}

#[derive(Clone)]
pub enum To {
    Channel(String),
    Nicks([String; 2]),
}

/// All that a client received of the participants' events: everything after one event, up to the
/// last one.
pub struct Reading {
    pub nick: String,
    pub client: i64,
    pub start: i64,
    pub messages: Vec<Message>,
}

impl Reading {
    pub fn push(&mut self, mut message: Message) {
        // The server tells a session of its logins. This test is not about those notices.
        if message.source != "rejoin.server" {
            message.time.clear();
            self.messages.push(message);
        }
    }

    /// The received messages of one command, from any source.
    pub fn of(&self, command: &str) -> impl Iterator<Item = &Message> {
        self.messages
            .iter()
            .filter(move |message| message.command == command)
    }
}

pub struct Ledger {
    happened: Vec<Happened>,
    /// The stays of each nick on each channel, from one event to another.
    stays: HashMap<(String, String), Vec<(i64, i64)>>,
}

impl Ledger {
    /// Takes all events. The members in `always` are on their channels from before the first event.
    pub fn new(mut happened: Vec<Happened>, always: &[(&str, &[&str])]) -> Self {
        happened.sort_by_key(|happened| happened.id);
        assert!(
            happened.is_sorted_by(|one, next| one.id < next.id),
            "two events have the same id"
        );
        let mut stays = HashMap::<_, Vec<_>>::new();
        for (channel, nicks) in always {
            for nick in *nicks {
                stays.insert((nick.to_string(), channel.to_string()), vec![(0, i64::MAX)]);
            }
        }
        for Happened {
            id, message, to, ..
        } in &happened
        {
            let To::Channel(channel) = to else { continue };
            let nick = &message.source;
            let stays = stays.entry((nick.to_owned(), channel.clone())).or_default();
            match message.command.as_str() {
                "JOIN" => {
                    assert!(
                        stays.last().is_none_or(|stay| stay.1 < *id),
                        "{nick} joined {channel} twice: {id}"
                    );
                    stays.push((*id, i64::MAX));
                }
                "PART" | "QUIT" => {
                    let stay = stays.last_mut().filter(|stay| stay.1 == i64::MAX);
                    stay.unwrap_or_else(|| panic!("{nick} left {channel} twice: {id}"))
                        .1 = *id;
                }
                _ => {}
            }
        }
        Self { happened, stays }
    }

    pub fn len(&self) -> usize {
        self.happened.len()
    }

    /// Asserts that a client received each event meant for it, once and in order, and no other
    /// event.
    pub fn check(&self, reading: &Reading) {
        let Reading {
            nick,
            client,
            start,
            messages,
        } = reading;
        let end = messages.last().map_or(*start, |message| message.id);
        let within = |happened: &&Happened| happened.id > *start && happened.id <= end;
        let entitled: Vec<_> = self
            .happened
            .iter()
            .filter(within)
            .filter(|happened| self.hears(nick, happened))
            .collect();
        let shown = |happened: &&Happened| {
            let mut message = happened.message.clone();
            if let Some((_, label)) = happened
                .origin
                .as_ref()
                .filter(|(origin, _)| origin == client)
            {
                message.label = Some(label.clone());
            }
            message
        };
        let entitled: Vec<_> = entitled.iter().map(shown).collect();
        let differ =
            (0..entitled.len().max(messages.len())).find(|n| entitled.get(*n) != messages.get(*n));
        if let Some(n) = differ {
            let before = n.checked_sub(1).map(|n| messages[n].id);
            let (due, got) = (entitled.get(n), messages.get(n));
            panic!("client {client} of {nick}, after {before:?}: due {due:?}, received {got:?}");
        }
    }

    fn hears(&self, nick: &str, happened: &Happened) -> bool {
        match &happened.to {
            To::Nicks(nicks) => nicks.iter().any(|one| one == nick),
            To::Channel(channel) => {
                let stays = self.stays.get(&(nick.to_owned(), channel.clone()));
                stays
                    .into_iter()
                    .flatten()
                    .any(|(from, to)| (*from..=*to).contains(&happened.id))
            }
        }
    }
}
