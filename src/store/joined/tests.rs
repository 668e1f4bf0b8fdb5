//! Reading all channels at once gives the same as reading them one by one.

use super::*;
use crate::store::{membership, open_in_memory, read_marker};

/// Session 1 is on the channels 11 to 15, which it joined in another order, and channel 1n has n
/// other members. It was on 16.
const FILL: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 16) SELECT n FROM n;
    INSERT INTO target (id) SELECT n FROM n;
    INSERT INTO session (id, nick, folded_nick, created_at) SELECT n, 'N' || (n * 7 % 10), 'n' || (n * 7 % 10), 0 FROM n WHERE n < 10;
    INSERT INTO channel (id, name, folded_name, created_at, modes) SELECT n, '#' || n, '#' || n, 0, '' FROM n WHERE n > 10;
    INSERT INTO membership (session_id, channel_id, since, op) SELECT 1, n, n * 5 % 17, FALSE FROM n WHERE n BETWEEN 11 AND 15;
    INSERT INTO membership (session_id, channel_id, since, until) VALUES (1, 16, 1, 2), (1, 11, 1, 2), (9, 11, 1, 2);
    INSERT INTO membership (session_id, channel_id, since, voice) SELECT other.n, c.n, 20, TRUE FROM n AS c, n AS other
        WHERE c.n BETWEEN 11 AND 15 AND other.n BETWEEN 2 AND c.n - 9;
    INSERT INTO read_marker (session_id, target_id, event_id) VALUES (1, 12, 7), (2, 13, 8);";

const ME: SessionId = SessionId(1);
const ALL: Selection = Selection {
    within: None,
    since: EventId(i64::MAX),
    members: None,
};

fn nicks(members: &[Member]) -> Vec<(String, bool, bool)> {
    let nick = |member: &Member| (member.nick.to_string(), member.op, member.voice);
    members.iter().map(nick).collect()
}

#[test]
fn reading_all_channels_at_once_equals_reading_them_one_by_one() {
    let sql = open_in_memory();
    sql.execute_batch(FILL).unwrap();
    let tx = &Read::of(&sql);
    let joined = of(tx, ME).unwrap();
    let ids: Vec<_> = joined.iter().map(|joined| joined.channel.id).collect();
    assert_eq!(ids, membership::channels_of(tx, ME).unwrap());
    for joined in &joined {
        let id = joined.channel.id;
        assert_eq!(joined.members, membership::count(tx, id).unwrap());
        assert_eq!(joined.read, read_marker::get(tx, ME, id).unwrap());
    }
    let found = members(tx, ME, ALL).unwrap();
    assert_eq!(found.len(), 5);
    for (channel, members) in &found {
        let one_by_one = membership::of_channel(tx, *channel).unwrap();
        assert_eq!(nicks(members), nicks(&one_by_one));
    }
}

#[test]
fn a_selection_is_by_name_time_and_number() {
    let sql = open_in_memory();
    sql.execute_batch(FILL).unwrap();
    let tx = &Read::of(&sql);
    let found = |selection| {
        let found = members(tx, ME, selection).unwrap();
        found.into_keys().map(|id| id.0).collect::<Vec<_>>()
    };
    let names = ["#12", "#1", "#15", "#16"].map(str::to_owned).into();
    let within = Some(&names);
    assert_eq!(found(Selection { within, ..ALL }), [12, 15]);
    // Joined at the events 4, 9, 14, 2 and 7.
    let since = EventId(7);
    assert_eq!(found(Selection { since, ..ALL }), [11, 14, 15]);
    let fewest = Some(3);
    let few = Selection {
        members: fewest,
        ..ALL
    };
    assert_eq!(found(few), [11, 12]);
    let none = BTreeSet::new();
    let within = Some(&none);
    assert!(found(Selection { within, ..ALL }).is_empty());
}
