//! The storage limit: how many bytes a network may add to the disk within a day, and which requests
//! it never refuses.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Device, JsonAnswer, Problem, TestServer};

const PASSWORD: &str = "correct horse battery";
const DAY: Duration = Duration::from_hours(24);
const LIMIT: i64 = 400_000;
const STRANGER: &str = "192.0.2.1";
const NEIGHBOUR: &str = "198.51.100.7";

async fn server() -> TestServer {
    TestServer::with(&["--storage-limit", "400KB", "--trusted-proxy", "127.0.0.1"]).await
}

/// The size of the database in bytes, including the write-ahead log.
fn size(server: &TestServer) -> i64 {
    let database = Connection::open(server.database()).unwrap();
    4096 * database
        .pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
        .unwrap()
}

fn is_limit(problem: &Problem) -> bool {
    (
        problem.status,
        problem.code.as_str(),
        problem.numeric.as_deref(),
    ) == (429, "storage_limit", Some("263"))
}

/// The IRC lines that a session repeats. `n` differs each time.
type Kind = fn(n: usize, nick: &str) -> Vec<String>;

const KINDS: &[(&str, Kind)] = &[
    ("messages to many channels", |_, nick| {
        let text = "x".to_owned() + &"\u{1}".repeat(4095);
        vec![
            format!("JOIN #{nick}1,#{nick}2,#{nick}3,#{nick}4"),
            format!("PRIVMSG #{nick}1,#{nick}2,#{nick}3,#{nick}4 :{text}"),
        ]
    }),
    ("short messages with labels", |n, nick| {
        vec![format!("@label={n} PRIVMSG old,{nick} :hello")]
    }),
    ("notices", |_, _| {
        vec![format!("NOTICE old :{}", "x".repeat(1500))]
    }),
    ("coming and going", |n, nick| {
        vec![
            format!("JOIN #{nick}{n}"),
            format!("PART #{nick}{n} :{}", "x".repeat(1024)),
        ]
    }),
    ("topics", |n, nick| {
        vec![
            format!("JOIN #{nick}"),
            format!("TOPIC #{nick} :{n}{}", "x".repeat(1000)),
        ]
    }),
    ("nicks", |n, nick| {
        vec![format!("NICK {nick}{}", n % 2 + 1), format!("NICK {nick}")]
    }),
    ("away", |n, _| {
        vec![format!("AWAY :{n}{}", "x".repeat(1000)), "AWAY".into()]
    }),
    ("bans", |n, nick| {
        vec![
            format!("JOIN #{nick}"),
            format!("MODE #{nick} +b mask{n}!*@*"),
            format!("MODE #{nick} -b mask{n}!*@*"),
        ]
    }),
    ("modes and keys", |n, nick| {
        vec![
            format!("JOIN #{nick}"),
            format!("MODE #{nick} +k key{n}"),
            format!("MODE #{nick} -k key{n}"),
        ]
    }),
    ("invitations", |n, nick| {
        vec![
            format!("JOIN #{nick}{n}"),
            format!("INVITE old #{nick}{n}"),
            format!("PART #{nick}{n}"),
        ]
    }),
    ("kicks", |n, nick| {
        vec![
            format!("JOIN #{nick}{n}"),
            format!("KICK #{nick}{n} {nick} :{}", "x".repeat(1024)),
        ]
    }),
];

/// Repeats the lines until the storage limit refuses one. Returns the refusal.
async fn repeat(session: &Device, nick: &str, kind: Kind) -> Problem {
    for n in 0..5000 {
        for line in kind(n, nick) {
            match session.try_send(&line).await {
                Ok(_) => {}
                Err(refusal) if is_limit(&refusal) => return refusal,
                Err(refusal) => panic!("{line}: {refusal:?}"),
            }
        }
    }
    panic!("five thousand times");
}

/// Does the same until the limit refuses even a short message.
async fn fill(session: &Device, nick: &str, kind: Kind) -> Problem {
    repeat(session, nick, kind).await;
    let nick = session.snapshot().await["session"]["nick"]
        .as_str()
        .unwrap()
        .to_owned();
    loop {
        if let Err(refusal) = session.try_send(&format!("PRIVMSG {nick} :x")).await {
            assert!(is_limit(&refusal), "{refusal:?}");
            return refusal;
        }
    }
}

#[tokio::test]
async fn a_network_adds_no_more_than_the_limit_by_any_kind_of_request() {
    for (kind, lines) in KINDS {
        let server = server().await;
        let old = server
            .device()
            .at_address(STRANGER)
            .try_create_session("old")
            .await
            .unwrap();
        old.send(&format!("PASS :{PASSWORD}")).await;
        let key = old.create_key("chat:read").await;
        server.advance(DAY + Duration::from_secs(1));
        let before = size(&server);
        let nicks = ["aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh"];
        let sessions = join_all(nicks.map(|nick| {
            let device = server.device().at_address(STRANGER);
            async move { device.try_create_session(nick).await.unwrap() }
        }))
        .await;
        join_all(
            sessions
                .iter()
                .zip(nicks)
                .map(|(session, nick)| fill(session, nick, *lines)),
        )
        .await;
        let grown = size(&server) - before;
        assert!(grown <= LIMIT / 2 + 4096, "{kind}: {grown} bytes");
        assert!(grown >= LIMIT / 32, "{kind}: refused after {grown} bytes");

        let refused = server
            .device()
            .at_address(STRANGER)
            .try_create_session("newcomer")
            .await
            .unwrap_err();
        assert!(is_limit(&refused), "{kind}: {refused:?}");
        old.send("PRIVMSG old :an older session of the network still writes")
            .await;
        server
            .device()
            .at_address(NEIGHBOUR)
            .try_create_session("neighbour")
            .await
            .unwrap()
            .send("PRIVMSG old :so do others")
            .await;
        never_refused(&server, &sessions[0], &old, &key.client_id).await;
    }
}

/// The limit never refuses a login, PASS, a read or a request that ends something.
async fn never_refused(server: &TestServer, full: &Device, old: &Device, key: &str) {
    full.send(&format!("PASS :{PASSWORD}")).await;
    let nick = full.snapshot().await["session"]["nick"]
        .as_str()
        .unwrap()
        .to_owned();
    let phone = server
        .device()
        .at_address(STRANGER)
        .login(&nick, PASSWORD)
        .await
        .unwrap();
    phone.snapshot().await;
    phone.queue().await;
    phone.get(&format!("/api/v1/history?target={nick}")).await;
    for line in [
        "@label=ping PING x",
        "@label=who WHOIS old",
        "@label=list LIST",
        "MODE #x",
        "TOPIC #x",
        "ACK 1",
    ] {
        match phone.try_send(line).await {
            Err(refusal) if is_limit(&refusal) => panic!("{line}"),
            _ => {}
        }
    }
    for channel in phone.snapshot().await["channels"].items() {
        phone
            .send(&format!("PART {}", channel["name"].as_str().unwrap()))
            .await;
    }
    phone.send("AWAY").await;
    let id = phone.snapshot().await["client"]["id"].clone();
    full.delete(&format!("/api/v1/clients/{id}")).await.unwrap();
    full.send("QUIT :that is all").await;
    assert_eq!(
        full.call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "client_ended"
    );
    old.delete(&format!("/api/v1/keys/{key}")).await.unwrap();
    old.call(Method::DELETE, "/api/v1/session").await.unwrap();
}

/// The requests that the storage limit never refuses have other limits, and they add little.
#[tokio::test]
async fn requests_beyond_the_storage_limit_have_other_limits() {
    let server = server().await;
    let stranger = server.device().at_address(STRANGER);
    let alice = stranger.try_create_session("alice").await.unwrap();
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let full = fill(&alice, "alice", KINDS[0].1).await;
    let before = size(&server);
    // Answers are kept with their labels, but not beyond the limit.
    for n in 0..300 {
        alice
            .send(&format!("@label={n} PING :{}", "x".repeat(1000)))
            .await;
    }
    // Correct and wrong logins continue until they are throttled.
    for password in [PASSWORD, "a wrong password"] {
        let mut tried = 0;
        let refusal = loop {
            tried += 1;
            match stranger
                .login_with(json!({"nick": "alice", "password": password}))
                .await
            {
                Err(refusal) if refusal.code == "throttled" => break refusal,
                Err(refusal) if refusal.code == "too_many_clients" => {
                    let all = alice.delete("/api/v1/clients").await;
                    all.unwrap();
                }
                _ => assert!(tried < 1000),
            }
        };
        assert!(refusal.retry_after.is_some());
    }
    let grown = size(&server) - before;
    assert!(grown <= LIMIT, "{grown} bytes");
    assert!(full.retry_after.is_some_and(|seconds| seconds <= 25 * 3600));
}

#[tokio::test]
async fn keys_sessions_and_codes_are_refused_like_messages() {
    let server = server().await;
    let stranger = server.device().at_address(STRANGER);
    let alice = stranger.try_create_session("alice").await.unwrap();
    let key = alice.create_key("chat:read chat:write").await;
    let bot = alice.with_token(key.token("").await.token.as_deref().unwrap());
    fill(&alice, "alice", KINDS[0].1).await;
    for refused in [
        alice
            .post(
                "/api/v1/keys",
                json!({"name": "more", "scope": "chat:read"}),
            )
            .await,
        alice
            .post(
                &format!("/api/v1/keys/{}/rotate", key.client_id),
                json!({"overlap": 60}),
            )
            .await,
        bot.try_send("PRIVMSG alice :by a key").await,
        bot.at_address(NEIGHBOUR)
            .try_send("PRIVMSG alice :from another network")
            .await,
    ] {
        let refusal = refused.unwrap_err();
        assert!(is_limit(&refusal), "{refusal:?}");
    }
    let lines = alice.get("/api/v1/audit").await;
    let told = lines
        .items()
        .iter()
        .filter(|line| line["reason"] == "storage");
    // The refusals have as many lines in an hour as any other refusal.
    assert!((1..=50).contains(&told.count()), "{lines}");
}

#[tokio::test]
async fn retry_after_is_correct_and_a_day_frees_everything() {
    let server = server().await;
    let alice = server
        .device()
        .at_address(STRANGER)
        .try_create_session("alice")
        .await
        .unwrap();
    let refusal = fill(&alice, "alice", KINDS[0].1).await;
    let seconds = refusal.retry_after.unwrap();
    assert_eq!(refusal.body["retry_after"], seconds);
    server.advance(Duration::from_secs(seconds));
    alice.send("PRIVMSG alice :a day later").await;
    fill(&alice, "alice", KINDS[0].1).await;
}

#[tokio::test]
async fn a_repeated_command_and_a_refused_one_cost_nothing() {
    let server = server().await;
    let alice = server
        .device()
        .at_address(STRANGER)
        .try_create_session("alice")
        .await
        .unwrap();
    let text = "x".repeat(4096);
    let line = format!("@label=once PRIVMSG alice :{text}");
    let first = alice.send(&line).await;
    for _ in 0..30 {
        assert_eq!(alice.send(&line).await, first);
        alice
            .try_send(&format!("PRIVMSG nobody :{text}"))
            .await
            .unwrap_err();
    }
    alice.send(&format!("PRIVMSG alice :{text}")).await;
}

/// A customer with a /48 of IPv6 has 65,536 networks, so the wider networks have limits of their
/// own.
#[tokio::test]
async fn many_networks_of_one_customer_count_together() {
    let server = server().await;
    let mut filled = 0;
    for network in 0..40 {
        let device = server
            .device()
            .at_address(&format!("2001:db8:1:{network:x}::1"));
        let Ok(session) = device.try_create_session(&format!("s{network}")).await else {
            break;
        };
        fill(&session, &format!("s{network}"), KINDS[0].1).await;
        filled += 1;
    }
    // A session may use a tenth of a network's limit. The new sessions of a /56 may use three times
    // the half of it.
    assert!((14..=16).contains(&filled), "{filled}");
    let elsewhere = server
        .device()
        .at_address("2001:db8:2::1")
        .try_create_session("elsewhere")
        .await
        .unwrap();
    elsewhere.send("PRIVMSG elsewhere :hello").await;
}

#[tokio::test]
async fn the_limit_can_be_turned_off() {
    let server = TestServer::with(&["--storage-limit", "off"]).await;
    let alice = server.create_session("alice").await;
    for _ in 0..100 {
        alice
            .send(&format!("PRIVMSG alice :{}", "x".repeat(4096)))
            .await;
    }
}
