//! The cost of reading, counted in SQLite's own steps. No query scans a whole table.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use rusqlite::{
    Connection, StatementStatus,
    trace::{TraceEvent, TraceEventCodes},
};
use tempfile::TempDir;

use crate::{
    model::{
        Authority, Caller, ChannelId, ChannelName, ClientId, EventId, GrantId, Nick, SessionId,
        Timestamp, Unread,
    },
    secret::SecretHash,
    session::{Visibility, insert_client, insert_session, require_live},
    store::{
        Read, Write, app_grant, client, conversation,
        history::{self, Part},
        log, membership, open_for_test, read_marker, session, unread,
    },
};

/// The usual length of a page (PROTOCOL.md).
const LIMIT: usize = 200;

/// A session that was away while others wrote messages on its channels.
struct Away {
    _dir: TempDir,
    sql: Connection,
    session: SessionId,
    client: ClientId,
    channel: ChannelId,
}

fn away(channels: i64, messages: i64) -> Away {
    let dir = tempfile::tempdir().unwrap();
    let now = Timestamp(0);
    let sql = open_for_test(&dir.path().join("rejoin.db"));
    let (session, client) = {
        let tx = Write::of(&sql);
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let session = insert_session(&tx, &Nick::parse("alice").unwrap(), address, now).unwrap();
        let new = client::NewClient {
            name: "phone".into(),
            secret: SecretHash::of("s"),
            expires_at: now,
            address,
            authority: Authority::Cookie,
        };
        (session, insert_client(&tx, session, &new, now).unwrap())
    };
    let fill = format!(
        "CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {messages})
             SELECT n FROM n;
         INSERT INTO target (id) SELECT 99 + n FROM n WHERE n <= {channels} + 1;
         INSERT INTO channel (id, name, folded_name, created_at, modes)
             SELECT 100 + n, '#c' || n, '#c' || n, 0, 'nt' FROM n WHERE n <= {channels};
         INSERT INTO membership (session_id, channel_id, since) SELECT {session}, id, 1 FROM channel;
         INSERT INTO session (id, nick, folded_nick, created_at) VALUES (100, 'bob', 'bob', 0);
         INSERT INTO client (id, session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at)
             VALUES (100, 100, 'laptop', x'', 0, 0, 0, 0, 0);
         INSERT INTO event (time, source, command, params, targets, client_id, sender, channel, others)
             SELECT 0, 'bob', 'PRIVMSG', '#c' || char(13) || 'hello' || char(13), '[' || channel.id || ']', 100, 100,
                    channel.id, 0 FROM n, channel;
         INSERT INTO address (target_id, event_id) SELECT json_extract(targets, '$[0]'), id FROM event;
         UPDATE log SET head = (SELECT max(id) FROM event);"
    );
    sql.execute_batch(&format!("BEGIN; {fill} COMMIT;"))
        .unwrap();
    // Statements that were planned before the tables were filled.
    sql.flush_prepared_statement_cache();
    Away {
        _dir: dir,
        sql,
        session,
        client,
        channel: ChannelId(101),
    }
}

/// How a page is read.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// As an engine in this process reads it.
    Lanes,
    /// As an engine that is reached over a network reads it.
    OneStatement,
}

const WAYS: [Way; 2] = [Way::Lanes, Way::OneStatement];

impl Away {
    /// How many steps SQLite's virtual machine takes for `work`.
    fn steps(&mut self, work: impl FnOnce(&Read)) -> usize {
        let steps = Arc::new(AtomicUsize::new(0));
        let counted = steps.clone();
        let count = move || {
            counted.fetch_add(1, Relaxed);
            false
        };
        self.sql.progress_handler(1, Some(count)).unwrap();
        work(&Read::of(&self.sql));
        self.sql.progress_handler(0, None::<fn() -> bool>).unwrap();
        steps.load(Relaxed)
    }

    fn page(&mut self) -> usize {
        self.page_by(Way::Lanes)
    }

    fn page_by(&mut self, way: Way) -> usize {
        let session = self.session;
        self.steps(|tx| {
            let visibility = Visibility::unrestricted(tx);
            let page = match way {
                Way::Lanes => visibility.page(session, EventId(0), LIMIT),
                Way::OneStatement => visibility.page_in_one_statement(session, EventId(0), LIMIT),
            };
            assert_eq!(page.unwrap().events.len(), LIMIT);
        })
    }
}

#[test]
fn a_page_costs_by_its_length_and_not_by_the_backlog() {
    let (mut day, mut week) = (away(20, 50), away(20, 2000));
    for way in WAYS {
        let (day, week) = (day.page_by(way), week.page_by(way));
        assert!(
            week <= day + day / 10,
            "{way:?}: {week} steps where forty times more was said, {day} where less was"
        );
    }
}

#[test]
fn a_page_costs_at_most_in_proportion_to_the_channels() {
    let (mut few, mut many) = (away(20, 100), away(80, 100));
    for way in WAYS {
        let (few, many) = (few.page_by(way), many.page_by(way));
        assert!(
            many <= 4 * few,
            "{way:?}: {many} steps with four times the channels, {few} with few"
        );
    }
}

/// Turns the stay on the channel into so many stays, one after the other, that have all ended. They
/// hold the same events.
fn in_stays(mut away: Away, stays: i64) -> Away {
    let (session, channel) = (away.session, away.channel);
    let tx = away.sql.transaction().unwrap();
    let ids = "SELECT min(event_id), max(event_id) FROM address WHERE target_id = ?1";
    let (first, last): (i64, i64) = tx
        .query_row(ids, [channel.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    tx.execute("DELETE FROM membership WHERE session_id = ?1", [session.0])
        .unwrap();
    let width = (last - first) / stays + 1;
    for since in (first..=last).step_by(width.try_into().unwrap()) {
        let until = last.min(since + width - 1);
        tx.execute(
            "INSERT INTO membership (session_id, channel_id, since, until) VALUES (?1, ?2, ?3, ?4)",
            [session.0, channel.0, since, until],
        )
        .unwrap();
    }
    tx.commit().unwrap();
    away
}

#[test]
fn a_page_costs_by_its_length_however_many_stays_have_ended_and_whatever_was_said_in_them() {
    let mut few = in_stays(away(1, 3000), 3);
    for (case, messages, stays) in [
        ("long stays", 60_000, 900),
        ("short stays", 3000, 900),
        ("stays of two events", 3000, 1500),
    ] {
        let mut many = in_stays(away(1, messages), stays);
        for way in WAYS {
            let (few, many) = (few.page_by(way), many.page_by(way));
            // Each stay that ended past the position is looked at, but only what the page shows is
            // read.
            let looked_at = usize::try_from(stays).unwrap() * 200;
            assert!(
                many <= 4 * few + looked_at,
                "{case}, {way:?}: {many} steps with {stays} stays, {few} with three"
            );
        }
    }
}

/// How many statements a page takes where each costs a round trip.
fn statements_of_a_page(away: &mut Away) -> usize {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = ran.clone();
    let see = move |_: TraceEvent<'_>| {
        counted.fetch_add(1, Relaxed);
    };
    away.sql
        .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(see))
        .unwrap();
    away.page_by(Way::OneStatement);
    let nothing = None::<fn(TraceEvent<'_>)>;
    away.sql
        .trace_v2(TraceEventCodes::empty(), nothing)
        .unwrap();
    ran.load(Relaxed)
}

#[test]
fn a_page_is_one_statement_or_two_if_one_channel_of_many_fills_it() {
    for channels in [1, 20, 100] {
        let mut away = away(channels, 300);
        assert_eq!(statements_of_a_page(&mut away), 1, "{channels} channels");
        let quiet = "DELETE FROM address WHERE target_id > 101";
        away.sql.execute_batch(quiet).unwrap();
        let statements = if channels == 1 { 1 } else { 2 };
        assert_eq!(
            statements_of_a_page(&mut away),
            statements,
            "{channels} channels"
        );
    }
}

#[test]
fn a_history_costs_by_its_length() {
    let history = |mut away: Away| {
        let (session, channel) = (away.session, away.channel);
        away.steps(|tx| {
            let events = history::of_channel(tx, session, channel, Part::Latest, 50).unwrap();
            assert_eq!(events.unwrap().len(), 50);
        })
    };
    let (day, week) = (history(away(20, 50)), history(away(20, 2000)));
    assert!(
        week <= day + day / 10,
        "{week} steps where forty times more was said, {day} where less was"
    );
}

#[test]
fn a_conversations_history_costs_by_its_length() {
    let history = |mut away: Away| {
        let me = away.session;
        let exchange = format!(
            "INSERT INTO event (time, source, command, params, targets, sender, recipient)
                 SELECT 0, 'bob', 'PRIVMSG', 'alice' || char(13) || 'hello' || char(13), '[]', iif(n % 2, {me}, 100), iif(n % 2, 100, {me}) FROM n;
             UPDATE log SET head = (SELECT max(id) FROM event)"
        );
        away.sql.execute_batch(&exchange).unwrap();
        away.steps(|tx| {
            assert_eq!(
                history::of_exchange(tx, me, SessionId(100), Part::Latest, 40)
                    .unwrap()
                    .len(),
                40
            );
            assert_eq!(
                unread::of_exchange(
                    tx,
                    &session::get(tx, me).unwrap(),
                    SessionId(100),
                    EventId(0)
                )
                .unwrap()
                .count,
                100
            );
        })
    };
    let (day, week) = (history(away(1, 202)), history(away(1, 4000)));
    assert!(
        week <= day + day / 10,
        "{week} steps where twenty times more was said, {day} where less was"
    );
}

#[test]
fn unread_messages_cost_by_their_count_and_next_to_nothing_if_all_are_read() {
    let unread = |away: &mut Away, read: EventId, count: u32| {
        let (me, channel) = (away.session, away.channel);
        let me = session::get(&Read::of(&away.sql), me).unwrap();
        away.steps(|tx| {
            assert_eq!(
                unread::of_channel(tx, &me, channel, read).unwrap().count,
                count
            )
        })
    };
    let (mut day, mut week) = (away(20, 101), away(20, 4000));
    let (few, many) = (
        unread(&mut day, EventId(0), 100),
        unread(&mut week, EventId(0), 100),
    );
    assert!(
        many <= few,
        "{many} steps where forty times more was said, {few} where less was"
    );
    let newest = log::head(&Read::of(&week.sql)).unwrap();
    let read = unread(&mut week, newest, 0);
    assert!(
        read <= few / 20,
        "{read} steps where all is read, {few} where nothing is"
    );
}

/// Writes messages on the channel: each speaker's number of messages, and all of that `turns`
/// times.
fn talk(away: &Away, speakers: &[(SessionId, usize)], turns: usize) {
    let (tx, to) = (Write::of(&away.sql), log::Recipient::Channel(away.channel));
    for (speaker, messages) in speakers.repeat(turns) {
        for _ in 0..messages {
            let params = vec!["#c1".to_owned(), "hello".to_owned()];
            let (time, source, command, message) =
                (Timestamp(0), "x", "PRIVMSG", Some((speaker, to)));
            let draft = log::NewEvent {
                time,
                source,
                command,
                params,
                origin: None,
                app: None,
                message,
            };
            log::append(&tx, draft, &[away.channel.into()]).unwrap();
        }
    }
}

#[test]
fn a_sessions_own_messages_cost_nothing_however_many_there_are() {
    let unread = |speakers: &[(i64, usize)], turns, count| {
        // One of the two messages that exist already was sent after the session joined.
        let mut away = away(1, 2);
        let (me, channel) = (away.session, away.channel);
        // The id 0 stands for the session itself.
        let speakers = speakers
            .iter()
            .map(|(id, messages)| (if *id == 0 { me } else { SessionId(*id) }, *messages));
        talk(&away, &speakers.collect::<Vec<_>>(), turns);
        let me = session::get(&Read::of(&away.sql), me).unwrap();
        away.steps(|tx| {
            assert_eq!(
                unread::of_channel(tx, &me, channel, EventId(0))
                    .unwrap()
                    .count,
                count
            )
        })
    };
    let (little, much) = (unread(&[(0, 1)], 1, 1), unread(&[(0, 2000)], 1, 1));
    assert_eq!(
        much, little,
        "steps where the session said 2,000 messages, and one"
    );
    // Its messages are mixed with those of others: before, between and after them.
    let (little, much) = (
        unread(&[(0, 1), (100, 3), (0, 1)], 5, 16),
        unread(&[(0, 200), (100, 3), (0, 200)], 5, 16),
    );
    assert_eq!(
        much, little,
        "steps where the session said 400 messages in each turn, and two"
    );
    let others = unread(&[(100, 1), (102, 1)], 60, 100);
    let mixed = unread(&[(100, 1), (0, 20), (102, 1)], 60, 100);
    assert!(
        mixed <= 4 * others,
        "{mixed} steps with the session's own messages among them, {others} without"
    );
}

#[test]
fn texts_that_do_not_name_a_session_are_not_read() {
    let mut away = away(1, 2);
    talk(&away, &[(SessionId(100), 100)], 1);
    let (me, channel) = (away.session, away.channel);
    let me = session::get(&Read::of(&away.sql), me).unwrap();
    // Put a mention into the texts after the filter was made, so that reading them would find it.
    away.sql
        .execute(
            "UPDATE event SET params = '#c1' || char(13) || 'alice' || char(13)",
            [],
        )
        .unwrap();
    let unread = |away: &mut Away| {
        let mut unread = Unread::default();
        let steps =
            away.steps(|tx| unread = unread::of_channel(tx, &me, channel, EventId(0)).unwrap());
        assert_eq!(unread.count, 100);
        (unread.mention, steps)
    };
    let (mention, steps) = unread(&mut away);
    assert!(!mention, "a text was read");
    assert!(steps <= 100 * 25, "{steps} steps for 100 messages");
    // Messages from before the filter existed are read.
    away.sql
        .execute("UPDATE event SET words = NULL", [])
        .unwrap();
    assert!(unread(&mut away).0);
}

#[test]
fn events_other_than_messages_on_a_channel_cost_nothing() {
    let unread = |events: i64| {
        let mut away = away(1, 3);
        let events = format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {events})
             INSERT INTO event (time, source, command, params, targets) SELECT 0, 'bob', 'AWAY', '', '[101]' FROM n;
             INSERT INTO address (target_id, event_id) SELECT 101, id FROM event WHERE command = 'AWAY';
             UPDATE log SET head = (SELECT max(id) FROM event)"
        );
        away.sql.execute_batch(&events).unwrap();
        let (me, channel) = (away.session, away.channel);
        let me = session::get(&Read::of(&away.sql), me).unwrap();
        away.steps(|tx| {
            assert_eq!(
                unread::of_channel(tx, &me, channel, EventId(0))
                    .unwrap()
                    .count,
                2
            )
        })
    };
    let (quiet, busy) = (unread(1), unread(4000));
    assert_eq!(busy, quiet, "steps where 4,000 came and went, and one");
}

#[test]
fn conversations_cost_by_those_that_are_shown() {
    let shown = |strangers: i64| {
        let mut away = away(1, 2);
        let (me, first) = (away.session, 1000);
        let fill = format!(
            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {strangers})
                 INSERT INTO target (id) SELECT {first} + n FROM n;
             INSERT INTO session (id, nick, folded_nick, created_at) SELECT id, 's' || id, 's' || id, 0 FROM target WHERE id > {first};"
        );
        away.sql.execute_batch(&fill).unwrap();
        let tx = Write::of(&away.sql);
        for stranger in first + 1..=first + strangers {
            conversation::note_received(&tx, me, SessionId(stranger), EventId(stranger)).unwrap();
        }
        away.steps(|tx| assert_eq!(conversation::of_session(tx, me).unwrap().len(), 200))
    };
    let (some, many) = (shown(250), shown(1000));
    assert!(
        many <= some + some / 10,
        "{many} steps with 1,000 conversations, {some} with 250"
    );
}

#[test]
fn a_large_channel_shows_the_session_itself_ops_voiced_members_and_the_oldest_ones() {
    let away = away(1, 2);
    let (me, channel) = (away.session, away.channel);
    // The session joined last, and the op and the voiced member shortly before it.
    let fill = format!(
        "INSERT INTO target (id)
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50) SELECT 1000 + n FROM n;
         INSERT INTO session (id, nick, folded_nick, created_at) SELECT id, 'n' || id, 'n' || id, 0 FROM target WHERE id > 1000;
         INSERT INTO membership (session_id, channel_id, since, op, voice)
             SELECT id, {channel}, id, id = 1048, id = 1049 FROM target WHERE id > 1000;
         UPDATE membership SET since = 5000 WHERE session_id = {me};"
    );
    away.sql.execute_batch(&fill).unwrap();
    let tx = Read::of(&away.sql);
    let shown = membership::foremost_of_channel(&tx, channel, me, 5).unwrap();
    let nicks = shown
        .iter()
        .map(|member| member.nick.to_string())
        .collect::<Vec<_>>();
    assert_eq!(nicks, ["alice", "n1001", "n1002", "n1048", "n1049"]);
    assert_eq!(
        shown
            .iter()
            .map(membership::Member::prefix)
            .collect::<String>(),
        "@+"
    );
    assert_eq!(membership::count(&tx, channel).unwrap(), 51);
}

/// Every query of a page, a history and a snapshot, as SQLite saw it.
fn queries(away: &mut Away) -> BTreeSet<String> {
    let run = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = run.clone();
    let see = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            seen.lock().unwrap().insert(statement.sql().into_owned());
        }
    };
    away.sql
        .trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(see))
        .unwrap();
    away.page();
    away.page_by(Way::OneStatement);
    let (me, client, channel) = (away.session, away.client, away.channel);
    away.steps(|tx| {
        let caller = Caller {
            session: me,
            client,
            authority: Authority::Cookie,
        };
        require_live(tx, caller).unwrap();
        app_grant::is_live(tx, GrantId(1)).unwrap();
        client::queue_start(tx, client).unwrap();
        history::of_channel(tx, me, channel, Part::Around(EventId(500)), LIMIT).unwrap();
        history::of_exchange(tx, me, me, Part::Around(EventId(500)), LIMIT).unwrap();
        session::get(tx, me).unwrap();
        client::own_view(tx, client).unwrap();
        membership::get(tx, channel, me).unwrap();
        let confined = Visibility::restricted_to(tx, me, &[ChannelName::parse("#c1").unwrap()]);
        confined.page(me, EventId(0), LIMIT).unwrap();
        confined
            .page_in_one_statement(me, EventId(0), LIMIT)
            .unwrap();
        confined.channels_of(me).unwrap();
        confined.joined(me).unwrap();
        confined
            .members_of_joined(me, EventId(10), Some(5))
            .unwrap();
        session::on_channel(tx, "#c1").unwrap();
        assert!(
            app_grant::res(tx, GrantId(1)).is_err(),
            "there is no such grant"
        );
        membership::of_channel(tx, channel).unwrap();
        membership::foremost_of_channel(tx, channel, me, 10).unwrap();
        membership::count(tx, channel).unwrap();
        read_marker::get(tx, me, channel).unwrap();
        conversation::of_session(tx, me).unwrap();
        conversation::read_mark(tx, me, me).unwrap();
        conversation::written_to(tx, me).unwrap();
        unread::of_channel(tx, &session::get(tx, me).unwrap(), channel, EventId(0)).unwrap();
        unread::of_exchange(
            tx,
            &session::get(tx, me).unwrap(),
            SessionId(100),
            EventId(0),
        )
        .unwrap();
    });
    std::mem::take(&mut *run.lock().unwrap())
}

/// What a plan may scan, because it has one row.
const ONE_ROW: [&str; 2] = ["log", "CONSTANT ROW"];

#[test]
fn reading_scans_nothing() {
    let mut away = away(20, 50);
    let run = queries(&mut away);
    assert!(run.len() >= 15, "{run:#?}");
    for query in run {
        let mut statement = away
            .sql
            .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
            .unwrap();
        let (mut plan, mut steps) = (Vec::<String>::new(), statement.raw_query());
        while let Some(step) = steps.next().unwrap() {
            plan.push(step.get(3).unwrap());
        }
        // The log's position is the only row of its table, and a constant row is of none. The rows of
        // a subquery were looked up before, so scanning them scans no table.
        let subqueries: Vec<_> = plan
            .iter()
            .filter_map(|step| {
                step.strip_prefix("CO-ROUTINE ")
                    .or(step.strip_prefix("MATERIALIZE "))
            })
            .collect();
        let scans = |step: &String| {
            step.strip_prefix("SCAN ").is_some_and(|scanned| {
                !ONE_ROW.contains(&scanned) && !subqueries.contains(&scanned)
            })
        };
        assert!(!plan.iter().any(scans), "{query}: {plan:#?}");
    }
}

#[test]
fn no_query_is_planned_again_when_it_runs_again() {
    let mut away = away(20, 50);
    queries(&mut away);
    for query in queries(&mut away) {
        // The statement that ran, from the cache.
        let statement = away.sql.prepare_cached(&query).unwrap();
        assert!(statement.get_status(StatementStatus::Run) >= 2, "{query}");
        assert_eq!(
            statement.get_status(StatementStatus::RePrepare),
            0,
            "{query}"
        );
    }
}
