//! The steps of a case. Sessions, clients and targets are small numbers, so that a failing case
//! shrinks to few and simple ones.

use std::fmt;

use proptest::{collection::vec, prelude::*};

/// Two of them differ from others only in case. Two more are equal in RFC 1459's folding, but not
/// in ours.
const NICKS: [&str; 7] = ["alice", "bob", "carol", "[d]", "{d}", "Alice", "BOB"];
const CHANNELS: [&str; 4] = ["#a", "#b", "#c", "#A"];
const KEYS: [&str; 2] = ["sesame", "mellon"];

pub fn nick(n: u8) -> &'static str {
    NICKS[usize::from(n) % NICKS.len()]
}

pub fn channel(n: u8) -> &'static str {
    CHANNELS[usize::from(n) % CHANNELS.len()]
}

/// A channel or a nick.
pub fn target(n: u8) -> &'static str {
    let n = usize::from(n) % (CHANNELS.len() + NICKS.len());
    CHANNELS
        .get(n)
        .or_else(|| NICKS.get(n - CHANNELS.len()))
        .unwrap()
}

pub fn key(n: u8) -> &'static str {
    KEYS[usize::from(n) % KEYS.len()]
}

/// Every possible nick, once.
pub fn nicks() -> &'static [&'static str] {
    &NICKS[..5]
}

/// A step: a session or client is created, the server restarts, or a live client does something.
#[derive(Clone, Debug)]
pub enum Step {
    Create {
        nick: u8,
    },
    Login {
        nick: u8,
        right: bool,
        replace: Option<u8>,
    },
    Restart,
    By(u8, Deed),
}

/// An action of a client. Numbers count the live clients in the order of their creation, and wrap
/// around.
#[derive(Clone, Debug)]
pub enum Deed {
    SetPassword,
    /// A login with the cookie of a live client, to its own session or to another.
    Renew {
        other: Option<u8>,
        right: bool,
    },
    Do {
        label: bool,
        act: Act,
    },
    /// Repeats the last labelled command, or sends another with its label.
    Repeat {
        other: bool,
    },
    Leave(Leave),
    Remove {
        whom: u8,
    },
    RemoveOthers,
    End,
    Poll {
        limit: u16,
        from: From,
    },
    Snapshot,
    Listen,
}

#[derive(Clone, Debug)]
pub enum Act {
    Nick(u8),
    Join { channels: Vec<u8>, key: Option<u8> },
    Part { channels: Vec<u8>, reason: bool },
    Say { notice: bool, to: Vec<u8> },
    Topic { channel: u8, clear: bool },
    Mode { channel: u8, changes: Vec<Change> },
    Kick { channel: u8, nicks: Vec<u8> },
    Invite { nick: u8, channel: u8 },
    Away { text: bool },
    Silence { nick: u8, on: bool },
    MarkRead { target: u8, back: u8 },
    Ack { back: u8 },
}

#[derive(Clone, Debug)]
pub enum Change {
    /// One of `i m n s t H`.
    Flag(u8, bool),
    Key(Option<u8>),
    Limit(Option<u8>),
    Op(u8, bool),
    Voice(u8, bool),
    Ban(u8, bool),
}

#[derive(Clone, Copy, Debug)]
pub enum Leave {
    Quit,
    QuitSaying,
    LogOut,
}

/// Where a poll reads from.
#[derive(Clone, Copy, Debug)]
pub enum From {
    /// Without `after`.
    Acknowledged,
    /// Where the same client's last poll ended.
    Next,
    /// This many events before the next id. 0 is an id that was never issued.
    Back(u8),
}

impl Change {
    pub fn flag(n: u8) -> char {
        ['i', 'm', 'n', 's', 't', 'H'][usize::from(n) % 6]
    }

    /// The sign, the letter and the argument, as the command has them.
    pub fn written(&self) -> (bool, char, Option<String>) {
        match self {
            Self::Flag(flag, on) => (*on, Self::flag(*flag), None),
            Self::Key(value) => (value.is_some(), 'k', value.map(|n| key(n).to_owned())),
            Self::Limit(limit) => (limit.is_some(), 'l', limit.map(|n| n.to_string())),
            Self::Op(n, on) => (*on, 'o', Some(nick(*n).to_owned())),
            Self::Voice(n, on) => (*on, 'v', Some(nick(*n).to_owned())),
            Self::Ban(n, on) => (*on, 'b', Some(format!("{}!*@*", nick(*n)))),
        }
    }
}

impl Act {
    /// The IRC line. `text` is the text of a message, and `head` is the id of the last event.
    pub fn line(&self, text: &str, head: i64) -> String {
        let names = |numbers: &[u8], name: fn(u8) -> &'static str| {
            numbers
                .iter()
                .map(|n| name(*n))
                .collect::<Vec<_>>()
                .join(",")
        };
        match self {
            Self::Nick(n) => format!("NICK {}", nick(*n)),
            Self::Join {
                channels,
                key: None,
            } => format!("JOIN {}", names(channels, channel)),
            Self::Join {
                channels,
                key: Some(n),
            } => {
                format!(
                    "JOIN {} {}",
                    names(channels, channel),
                    vec![key(*n); channels.len()].join(",")
                )
            }
            Self::Part {
                channels,
                reason: false,
            } => format!("PART {}", names(channels, channel)),
            Self::Part {
                channels,
                reason: true,
            } => format!("PART {} :{text}", names(channels, channel)),
            Self::Say { notice, to } => {
                format!(
                    "{} {} :{text}",
                    if *notice { "NOTICE" } else { "PRIVMSG" },
                    names(to, target)
                )
            }
            Self::Topic {
                channel: n,
                clear: true,
            } => format!("TOPIC {} :", channel(*n)),
            Self::Topic {
                channel: n,
                clear: false,
            } => format!("TOPIC {} :{text}", channel(*n)),
            Self::Mode {
                channel: n,
                changes,
            } => {
                let written: Vec<_> = changes.iter().map(Change::written).collect();
                let letters = written
                    .iter()
                    .map(|(on, c, _)| format!("{}{c}", if *on { '+' } else { '-' }));
                let mut words = vec!["MODE".to_owned(), channel(*n).to_owned(), letters.collect()];
                words.extend(written.into_iter().filter_map(|(_, _, argument)| argument));
                words.join(" ")
            }
            Self::Kick { channel: n, nicks } => {
                format!("KICK {} {}", channel(*n), names(nicks, nick))
            }
            Self::Invite {
                nick: who,
                channel: n,
            } => format!("INVITE {} {}", nick(*who), channel(*n)),
            Self::Away { text: true } => format!("AWAY :{text}"),
            Self::Away { text: false } => "AWAY".to_owned(),
            Self::Silence { nick: n, on } => {
                format!("SILENCE {}{}", if *on { '+' } else { '-' }, nick(*n))
            }
            Self::MarkRead { target: n, back } => {
                format!("MARKREAD {} {}", target(*n), position(head, *back))
            }
            Self::Ack { back } => format!("ACK {}", position(head, *back)),
        }
    }
}

/// The id `back` before the next one.
pub fn position(head: i64, back: u8) -> i64 {
    (head + 1 - i64::from(back)).max(0)
}

/// A case. Most cases begin with sessions that create several devices and meet on a channel. Random
/// steps follow.
pub fn case() -> impl Strategy<Value = Case> {
    let opening = opening();
    let kept = vec(prop::bool::weighted(0.95), opening.len());
    (kept, vec(step(), 1..70)).prop_map(move |(kept, steps)| {
        let opening = opening
            .iter()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|(step, _)| step.clone());
        Case(opening.chain(steps).collect())
    })
}

pub struct Case(pub Vec<Step>);

/// One step a line.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(f, "\n    {step:?}"))
    }
}

fn opening() -> Vec<Step> {
    let act = |who, act| Step::By(who, Deed::Do { label: false, act });
    let join = |who, channels| {
        act(
            who,
            Act::Join {
                channels,
                key: None,
            },
        )
    };
    vec![
        Step::Create { nick: 0 },
        Step::By(0, Deed::SetPassword),
        join(0, vec![0, 1]),
        Step::Create { nick: 1 },
        join(1, vec![0]),
        act(
            0,
            Act::Mode {
                channel: 0,
                changes: vec![Change::Op(1, true)],
            },
        ),
        Step::Login {
            nick: 0,
            right: true,
            replace: None,
        },
        Step::By(2, Deed::Snapshot),
        Step::By(0, Deed::Listen),
        Step::Create { nick: 2 },
        join(3, vec![1]),
        Step::Login {
            nick: 5,
            right: true,
            replace: None,
        },
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let replace = prop::option::weighted(0.2, 0..12u8);
    prop_oneof![
        3 => (0..7u8).prop_map(|nick| Step::Create { nick }),
        2 => (0..7u8, prop::bool::weighted(0.8), replace)
            .prop_map(|(nick, right, replace)| Step::Login { nick, right, replace }),
        1 => Just(Step::Restart),
        70 => (0..12u8, deed()).prop_map(|(who, deed)| Step::By(who, deed)),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let from = prop_oneof![1 => Just(From::Acknowledged), 3 => Just(From::Next), 1 => (0..30u8).prop_map(From::Back)];
    let limit = prop_oneof![3 => 1..6u16, 2 => 6..40u16, 1 => Just(500u16)];
    let leave = prop_oneof![
        Just(Leave::Quit),
        Just(Leave::QuitSaying),
        Just(Leave::LogOut)
    ];
    prop_oneof![
        40 => (any::<bool>(), act()).prop_map(|(label, act)| Deed::Do { label, act }),
        8 => (limit, from).prop_map(|(limit, from)| Deed::Poll { limit, from }),
        6 => Just(Deed::Snapshot),
        2 => (prop::option::weighted(0.3, 0..7u8), prop::bool::weighted(0.8))
            .prop_map(|(other, right)| Deed::Renew { other, right }),
        1 => Just(Deed::SetPassword),
        2 => prop::bool::weighted(0.3).prop_map(|other| Deed::Repeat { other }),
        2 => leave.prop_map(Deed::Leave),
        1 => (0..12u8).prop_map(|whom| Deed::Remove { whom }),
        1 => Just(Deed::RemoveOthers),
        1 => Just(Deed::End),
        2 => Just(Deed::Listen),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    // Most commands go to one channel, where sessions affect each other.
    let channel = || prop_oneof![2 => Just(0), 1 => 0..4u8];
    let channels = || vec(channel(), 1..3);
    prop_oneof![
        8 => (vec(0..11u8, 1..4), any::<bool>()).prop_map(|(to, notice)| Act::Say { to, notice }),
        10 => (channels(), prop::option::weighted(0.3, 0..2u8)).prop_map(|(channels, key)| Act::Join { channels, key }),
        5 => (channels(), any::<bool>()).prop_map(|(channels, reason)| Act::Part { channels, reason }),
        10 => (channel(), vec(change(), 1..4)).prop_map(|(channel, changes)| Act::Mode { channel, changes }),
        3 => (0..7u8).prop_map(Act::Nick),
        3 => (channel(), vec(0..7u8, 1..3)).prop_map(|(channel, nicks)| Act::Kick { channel, nicks }),
        3 => (0..7u8, channel()).prop_map(|(nick, channel)| Act::Invite { nick, channel }),
        4 => (channel(), prop::bool::weighted(0.3)).prop_map(|(channel, clear)| Act::Topic { channel, clear }),
        2 => any::<bool>().prop_map(|text| Act::Away { text }),
        3 => (0..7u8, prop::bool::weighted(0.6)).prop_map(|(nick, on)| Act::Silence { nick, on }),
        3 => (0..11u8, 0..20u8).prop_map(|(target, back)| Act::MarkRead { target, back }),
        2 => (0..20u8).prop_map(|back| Act::Ack { back }),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let on = || prop::bool::weighted(0.6);
    prop_oneof![
        3 => (0..6u8, on()).prop_map(|(flag, on)| Change::Flag(flag, on)),
        1 => prop::option::of(0..2u8).prop_map(Change::Key),
        1 => prop::option::of(1..4u8).prop_map(Change::Limit),
        2 => (0..7u8, on()).prop_map(|(nick, on)| Change::Op(nick, on)),
        1 => (0..7u8, on()).prop_map(|(nick, on)| Change::Voice(nick, on)),
        1 => (0..7u8, on()).prop_map(|(nick, on)| Change::Ban(nick, on)),
    ]
}
