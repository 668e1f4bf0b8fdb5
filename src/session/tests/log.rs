//! The log against a plain list of everything that ever happened. A page, a gap or a history must
//! say what a search through the list finds. Retention and the ends of stays come at random in
//! between.

use std::{collections::BTreeSet, net::Ipv4Addr};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{TestCaseResult, TestRunner},
};

use crate::{
    irc::mode::Modes,
    model::{
        ChannelId, ChannelName, EndReason, Event, EventId, Nick, SessionId, TargetId, Timestamp,
    },
    session::{Visibility, audience, channels, insert_session, lifecycle},
    store::{
        TestConnection, Write, channel_history, conversation,
        history::{self, Part},
        log::{NewEvent, Recipient, append},
        open_in_memory,
        queue::PAGE_BYTES,
        retention, session, unreadable,
    },
};

mod reading;
mod removing;

/// The number of random cases. `PROPTEST_CASES` sets another.
const CASES: u32 = 100;

const PEOPLE: usize = 3;
const CHANNELS: usize = 2;
/// The channel to which the first session's bot is confined. The bot acknowledges nothing.
const INSIDE: &str = "#0";

/// Steps of a case. Sessions and channels are small numbers, so that a failing case shrinks to few
/// of them.
#[derive(Clone, Debug)]
enum Step {
    Join {
        who: usize,
        channel: usize,
    },
    Part {
        who: usize,
        channel: usize,
    },
    /// A session, member or not, writes `times` messages of `text` bytes on a channel.
    Say {
        channel: usize,
        times: usize,
        text: usize,
    },
    Tell {
        from: usize,
        to: usize,
    },
    /// A channel's mode +H is set or unset.
    Keep {
        channel: usize,
    },
    /// An event to the session itself, its channels, and the sessions it wrote to.
    Rename {
        who: usize,
    },
    /// The session ends, and another begins.
    End {
        who: usize,
    },
    /// Time passes, or the clock is set back.
    Pass {
        time: i64,
    },
    /// Retention removes events of this age, at most `batch`, and with `rest` past stays and
    /// tombstones.
    Retain {
        age: i64,
        batch: usize,
        rest: bool,
    },
    /// Events that nobody can read are removed, in batches.
    Sweep {
        batch: usize,
    },
    Read {
        who: usize,
        back: i64,
        limits: Vec<usize>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, channel) = (0..PEOPLE, 0..CHANNELS);
    let times = prop_oneof![4 => 1..3_usize, 1 => 8..20_usize];
    // A whole page's bytes, one byte less, or a part of them.
    let text = prop_oneof![16 => Just(0), 1 => select(vec![PAGE_BYTES - 4, PAGE_BYTES - 3, PAGE_BYTES / 3, PAGE_BYTES / 3])];
    let batch = prop_oneof![1..4_usize, 1..30_usize];
    let limit = prop_oneof![4 => 1..6_usize, 2 => 7..20_usize, 1 => Just(500)];
    prop_oneof![
        6 => (who.clone(), channel.clone()).prop_map(|(who, channel)| Step::Join { who, channel }),
        3 => (who.clone(), channel.clone()).prop_map(|(who, channel)| Step::Part { who, channel }),
        6 => (channel, times, text).prop_map(|(channel, times, text)| Step::Say { channel, times, text }),
        2 => (0..CHANNELS).prop_map(|channel| Step::Keep { channel }),
        2 => (who.clone(), who.clone()).prop_map(|(from, to)| Step::Tell { from, to }),
        2 => who.clone().prop_map(|who| Step::Rename { who }),
        1 => who.clone().prop_map(|who| Step::End { who }),
        4 => prop_oneof![3 => 0..9_i64, 1 => -9..20_i64].prop_map(|time| Step::Pass { time }),
        3 => (0..20_i64, batch, any::<bool>()).prop_map(|(age, batch, rest)| Step::Retain { age, batch, rest }),
        2 => (1..12_usize).prop_map(|batch| Step::Sweep { batch }),
        5 => (who, 0..60_i64, vec(limit, 1..4)).prop_map(|(who, back, limits)| Step::Read { who, back, limits }),
    ]
}

/// One event, as the list has it.
struct Happened {
    id: i64,
    time: i64,
    /// The time that the clock showed.
    clock: i64,
    /// The bytes it takes in a page.
    bytes: usize,
    /// The members of the channels it was addressed to, with the channel.
    on: BTreeSet<(SessionId, ChannelId)>,
    /// The sessions it was addressed to.
    to: BTreeSet<SessionId>,
    exchange: Option<(SessionId, SessionId)>,
    /// The channels with mode +H that it was addressed to.
    kept: BTreeSet<ChannelId>,
    /// Whether retention has removed it.
    gone: bool,
}

impl Happened {
    fn heard_by(&self, session: SessionId) -> bool {
        self.to.contains(&session) || self.on.iter().any(|(member, _)| *member == session)
    }
}

struct World<'a> {
    tx: &'a Write<'a>,
    now: i64,
    /// The live sessions, and the channels that have a member.
    people: Vec<SessionId>,
    channels: Vec<Option<ChannelId>>,
    /// All channels that ever existed, and those of them that the bot may see.
    known: Vec<ChannelId>,
    inside: BTreeSet<ChannelId>,
    members: BTreeSet<(SessionId, ChannelId)>,
    /// The channels with mode +H.
    kept: BTreeSet<ChannelId>,
    list: Vec<Happened>,
    made: usize,
}

impl World<'_> {
    fn take(&mut self, step: &Step) -> TestCaseResult {
        match *step {
            Step::Join { who, channel } => self.join(self.people[who], channel),
            Step::Part { who, channel } => {
                let me = self.people[who];
                if let Some(channel) =
                    self.channels[channel].filter(|channel| self.members.contains(&(me, *channel)))
                {
                    let id = self.happens("PART", 0, &[channel], &[], None);
                    lifecycle::leave_channel(self.tx, me, channel, id, Timestamp(self.now))
                        .unwrap();
                    self.depart(me, channel);
                }
            }
            Step::Say {
                channel,
                times,
                text,
            } => {
                for channel in std::iter::repeat_n(self.channels[channel], times).flatten() {
                    self.happens("PRIVMSG", text, &[channel], &[], None);
                }
            }
            Step::Keep { channel } => {
                if let Some(channel) = self.channels[channel] {
                    let on = self.kept.insert(channel);
                    let id = self.happens("MODE", 0, &[channel], &[], None);
                    let note = if on {
                        channels::open_history
                    } else {
                        channel_history::close
                    };
                    note(self.tx, channel, id).unwrap();
                    self.kept.retain(|kept| on || *kept != channel);
                }
            }
            Step::Tell { from, to } => {
                let (from, to) = (self.people[from], self.people[to]);
                let id = self.happens("PRIVMSG", 0, &[], &[from, to], Some((from, to)));
                conversation::note_written(self.tx, from, to, id).unwrap();
            }
            Step::Rename { who } => {
                let session = session::get(self.tx, self.people[who]).unwrap();
                let id = append(
                    self.tx,
                    self.draft("NICK", 0, None),
                    &audience::of(self.tx, &session).unwrap(),
                )
                .unwrap();
                self.note(
                    id,
                    0,
                    &self.channels_of(session.id),
                    &self.told_by(session.id),
                    None,
                );
            }
            Step::End { who } => self.end(who),
            Step::Pass { time } => self.now += time,
            Step::Retain { age, batch, rest } => return self.retain(age, batch, rest),
            Step::Sweep { batch } => return self.sweep(batch),
            Step::Read {
                who,
                back,
                ref limits,
            } => return self.read(who, back, limits),
        }
        Ok(())
    }

    fn join(&mut self, me: SessionId, channel: usize) {
        let id = self.channels[channel].unwrap_or_else(|| {
            let name = ChannelName::parse(&format!("#{channel}")).unwrap();
            channels::make(self.tx, &name, Modes::new(), Timestamp(self.now))
                .unwrap()
                .id
        });
        if self.channels[channel].replace(id).is_none() {
            self.known.push(id);
            self.inside.extend((channel == 0).then_some(id));
        }
        if self.members.insert((me, id)) {
            let since =
                channels::join(self.tx, me, id, false, self.draft("JOIN", 0, None)).unwrap();
            self.note(since, 0, &[id], &[], None);
        }
    }

    fn end(&mut self, who: usize) {
        let me = self.people[who];
        let channels = self.channels_of(me);
        let quit = lifecycle::end_session(self.tx, me, EndReason::Quit, None, Timestamp(self.now))
            .unwrap();
        self.note(
            quit,
            EndReason::Quit.sentence().len(),
            &channels,
            &self.told_by(me),
            None,
        );
        channels
            .into_iter()
            .for_each(|channel| self.depart(me, channel));
        self.people[who] = self.newcomer(who);
    }

    fn newcomer(&mut self, who: usize) -> SessionId {
        self.made += 1;
        let (nick, now) = (
            Nick::parse(&format!("n{}", self.made)).unwrap(),
            Timestamp(self.now),
        );
        let me = insert_session(self.tx, &nick, Ipv4Addr::LOCALHOST.into(), now).unwrap();
        let bot = format!(
            "INSERT INTO app (client_id, name, session_id, created_by, scope, created_at) VALUES ('{nick}', 'bot', {me}, 0, 'chat:read', 0);
             INSERT INTO app_grant (session_id, app_id, scope, res, created_at)
                 VALUES ({me}, last_insert_rowid(), 'chat:read', '[\"{INSIDE}\"]', 0);
             INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at, grant_id, key)
                 VALUES ({me}, 'bot', CAST('{nick}' AS BLOB), 0, 0, 0, 0, 0, last_insert_rowid(), 1);"
        );
        self.tx
            .sql()
            .execute_batch(if who == 0 { &bot } else { "" })
            .unwrap();
        me
    }

    fn depart(&mut self, me: SessionId, channel: ChannelId) {
        self.members.remove(&(me, channel));
        let empty = !self.members.iter().any(|(_, other)| *other == channel);
        self.channels
            .iter_mut()
            .filter(|id| empty && **id == Some(channel))
            .for_each(|id| *id = None);
    }

    fn channels_of(&self, me: SessionId) -> Vec<ChannelId> {
        self.members
            .iter()
            .filter(|(member, _)| *member == me)
            .map(|(_, channel)| *channel)
            .collect()
    }

    /// The sessions to which a session's NICK and QUIT are addressed: itself, and those it wrote a
    /// message to that still exists.
    fn told_by(&self, me: SessionId) -> Vec<SessionId> {
        let wrote = self
            .list
            .iter()
            .filter(|event| !event.gone)
            .filter_map(|event| event.exchange);
        let to = wrote
            .filter(|(from, to)| *from == me && self.people.contains(to))
            .map(|(_, to)| to);
        to.chain([me]).collect()
    }

    fn draft(
        &self,
        command: &'static str,
        text: usize,
        exchange: Option<(SessionId, SessionId)>,
    ) -> NewEvent<'static> {
        let params = Vec::from_iter((text > 0).then(|| "x".repeat(text)));
        let message = exchange.map(|(sender, recipient)| (sender, Recipient::Session(recipient)));
        NewEvent {
            time: Timestamp(self.now),
            source: "x",
            command,
            params,
            origin: None,
            app: None,
            message,
        }
    }

    fn happens(
        &mut self,
        command: &'static str,
        text: usize,
        channels: &[ChannelId],
        sessions: &[SessionId],
        exchange: Option<(SessionId, SessionId)>,
    ) -> EventId {
        let targets: Vec<TargetId> = channels
            .iter()
            .map(|id| (*id).into())
            .chain(sessions.iter().map(|id| (*id).into()))
            .collect();
        let id = append(self.tx, self.draft(command, text, exchange), &targets).unwrap();
        self.note(id, text, channels, sessions, exchange);
        id
    }

    /// Adds an event to the list, with the members at that time.
    fn note(
        &mut self,
        id: EventId,
        text: usize,
        channels: &[ChannelId],
        sessions: &[SessionId],
        exchange: Option<(SessionId, SessionId)>,
    ) {
        let on = self
            .members
            .iter()
            .filter(|(_, channel)| channels.contains(channel))
            .copied()
            .collect();
        let to = sessions.iter().copied().collect();
        let kept = self
            .kept
            .iter()
            .filter(|channel| channels.contains(channel))
            .copied()
            .collect();
        // The text as JSON, in brackets and quotes.
        let bytes = if text > 0 { text + 3 } else { 0 };
        // The times of events do not go back when the clock does.
        let time = self
            .list
            .last()
            .map_or(self.now, |last| last.time.max(self.now));
        self.list.push(Happened {
            id: id.0,
            time,
            clock: self.now,
            bytes,
            on,
            to,
            exchange,
            kept,
            gone: false,
        });
    }

    fn head(&self) -> i64 {
        self.list.last().map_or(0, |event| event.id)
    }

    /// Reads a queue to its end from `back` events ago, in pages of these lengths in turn, and then
    /// histories up to there.
    fn read(&self, who: usize, back: i64, limits: &[usize]) -> TestCaseResult {
        let (me, start) = (self.people[who], (self.head() - back).max(0));
        self.read_queue(
            &Visibility::unrestricted(self.tx),
            me,
            start,
            limits,
            |event| event.heard_by(me),
        )?;
        if who == 0 {
            let confined =
                Visibility::restricted_to(self.tx, me, &[ChannelName::parse(INSIDE).unwrap()]);
            let inside = |event: &Happened| {
                event
                    .on
                    .iter()
                    .any(|(who, on)| *who == me && self.inside.contains(on))
            };
            self.read_queue(&confined, me, start, limits, inside)?;
        }
        let before = (back > 0).then_some(EventId(start + 1));
        for channel in &self.known {
            let history =
                |part| history::of_channel(self.tx, me, *channel, part, limits[0]).unwrap();
            let is_member = self.members.contains(&(me, *channel));
            let mine = |event: &Happened| {
                event.on.contains(&(me, *channel)) || (is_member && event.kept.contains(channel))
            };
            let was_there = self.list.iter().any(mine);
            prop_assert!(
                history(Part::Latest).is_none() || was_there,
                "{} never was on {}",
                me,
                channel
            );
            self.read_history(
                |part| history(part).unwrap_or_default(),
                before,
                limits[0],
                mine,
            )?;
        }
        for other in &self.people {
            let ours = |event: &Happened| {
                [Some((me, *other)), Some((*other, me))].contains(&event.exchange)
            };
            let exchange =
                |part| history::of_exchange(self.tx, me, *other, part, limits[0]).unwrap();
            self.read_history(exchange, before, limits[0], ours)?;
        }
        Ok(())
    }
}

/// Runs a case in a transaction that is rolled back.
fn run(connection: &TestConnection, steps: &[Step]) -> TestCaseResult {
    let transaction = connection.unchecked_transaction().unwrap();
    let mut world = World {
        tx: &Write::of(&transaction),
        now: 100,
        people: Vec::new(),
        channels: vec![None; CHANNELS],
        known: Vec::new(),
        inside: BTreeSet::new(),
        members: BTreeSet::new(),
        kept: BTreeSet::new(),
        list: Vec::new(),
        made: 0,
    };
    world.people = (0..PEOPLE).map(|who| world.newcomer(who)).collect();
    steps.iter().try_for_each(|step| world.take(step))?;
    (0..PEOPLE).try_for_each(|who| {
        world.read(who, i64::MAX, &[500])?;
        world.read(who, 30, &[7, 1])?;
        world.read(who, 12, &[2])
    })
}

#[test]
fn pages_gaps_and_histories_equal_a_search_through_the_list() {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES);
    let connection = open_in_memory();
    let mut runner = TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&vec(step(), 0..80), |steps| run(&connection, &steps))
        .unwrap_or_else(|found| panic!("{found}"));
}

#[test]
fn a_page_ends_with_the_message_that_fills_it() {
    let connection = open_in_memory();
    for text in [PAGE_BYTES - 4, PAGE_BYTES - 3, PAGE_BYTES / 3] {
        let read = Step::Read {
            who: 0,
            back: 60,
            limits: vec![500],
        };
        let steps = [
            Step::Join { who: 0, channel: 0 },
            Step::Say {
                channel: 0,
                times: 5,
                text,
            },
            read,
        ];
        run(&connection, &steps).unwrap();
    }
}

/// A case that random tests found: before the events to remove there were more events with times in
/// the future than a batch holds.
#[test]
fn many_events_with_times_in_the_future_do_not_stop_retention() {
    let say = Step::Say {
        channel: 0,
        times: 3,
        text: 0,
    };
    let retain = Step::Retain {
        age: 0,
        batch: 2,
        rest: true,
    };
    let back = Step::Pass { time: -50 };
    let steps = [
        Step::Join { who: 0, channel: 0 },
        say.clone(),
        back,
        say,
        retain.clone(),
        retain.clone(),
        retain,
    ];
    run(&open_in_memory(), &steps).unwrap();
}
