//! A grant with `res`: reads and writes reach its channels and nothing else.

use rejoin::irc::command::verbs;
use reqwest::{Method, header};
use rusqlite::Connection;
use serde_json::json;

use crate::support::{App, Device, TestServer, assert_integrity, commands, status_and_code};

mod queue;
mod shown;

const SCOPE: &str = "chat:read chat:write chat:moderate identity";

/// A key that is confined to `#in`, and its bot.
async fn confined(owner: &Device) -> (App, Device) {
    let key = owner
        .create_key_with(json!({"name": "bot", "scope": SCOPE, "res": ["#In"]}))
        .await;
    let bot = key.token("").await;
    (key, bot)
}

/// Alice is on both channels, bob is on the one inside, carol on the one outside. Bob is away.
/// Everyone has written to alice.
async fn world(server: &TestServer) -> [Device; 3] {
    let [alice, bob] = server.sessions_on("#in", ["alice", "bob"]).await;
    let carol = server.create_session("carol").await;
    alice.send("JOIN #secrets").await;
    carol.send("JOIN #secrets").await;
    carol.send("JOIN #far").await;
    alice.send("TOPIC #secrets :what nobody knows").await;
    bob.send("AWAY :out to lunch").await;
    for person in [&bob, &carol] {
        person.send("PRIVMSG alice :psst").await;
    }
    [alice, bob, carol]
}

/// An answer, byte for byte.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    challenge: Option<String>,
    body: String,
}

impl Answer {
    async fn to(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let challenge = response
            .headers()
            .get(header::WWW_AUTHENTICATE)
            .map(|value| value.to_str().unwrap().to_owned());
        Self {
            status: response.status().as_u16(),
            challenge,
            body: response.text().await.unwrap(),
        }
    }

    fn map_body(self, change: impl Fn(String) -> String) -> Self {
        Self {
            body: change(self.body),
            ..self
        }
    }
}

/// The answer to a line.
async fn answer(of: &Device, line: &str) -> Answer {
    let request = of
        .request(Method::POST, "/api/v1/messages")
        .header(header::CONTENT_TYPE, "text/plain");
    Answer::to(request.body(line.to_owned())).await
}

/// Forms of every verb, sorted by what they name.
const ABOUT_CHANNELS: &[&str] = &[
    "JOIN {}",
    "JOIN {} key",
    "PART {}",
    "PART {} :bye",
    "PRIVMSG {} :hi",
    "NOTICE {} :hi",
    "TOPIC {}",
    "TOPIC {} :mine",
    "NAMES {}",
    "LIST {}",
    "WHO {}",
    "KICK {} carol",
    "KICK {} bob",
    "INVITE bob {}",
    "MODE {}",
    "MODE {} b",
    "MODE {} +m",
    "MODE {} +o bob",
    "MARKREAD {}",
    "MARKREAD {} 1",
];
const ABOUT_PEOPLE: &[&str] = &[
    "PRIVMSG {} :hi",
    "NOTICE {} :hi",
    "WHO {}",
    "WHOIS {}",
    "KICK #in {}",
    "INVITE {} #in",
    "MODE #in +o {}",
    "MODE #in -v {}",
    "MODE {}",
    "MARKREAD {}",
    "MARKREAD {} 1",
];
const ABOUT_THE_SESSION: &[&str] = &[
    "NICK other",
    "PASS :correct horse battery",
    "AWAY :gone",
    "AWAY",
    "SILENCE",
    "SILENCE +bob",
];
const ABOUT_THE_CLIENT: &[&str] = &["ACK 1", "PING x", "QUIT"];

/// Checks that a form gets the same answer for an existing name outside the grant and for a name
/// that does not exist.
async fn alike(bot: &Device, form: &str, there: &str, nowhere: &str) {
    let of_it = answer(bot, &form.replace("{}", there)).await;
    let of_none = answer(bot, &form.replace("{}", nowhere))
        .await
        .map_body(|body| body.replace(nowhere, there));
    assert_eq!(of_it, of_none, "{form} {there}");
}

#[tokio::test]
async fn names_outside_the_grant_answer_every_verb_as_if_they_did_not_exist() {
    let server = TestServer::start().await;
    let [alice, _bob, carol] = world(&server).await;
    let (_, bot) = confined(&alice).await;
    let forms = [
        ABOUT_CHANNELS,
        ABOUT_PEOPLE,
        ABOUT_THE_SESSION,
        ABOUT_THE_CLIENT,
    ]
    .concat();
    for verb in verbs() {
        assert!(
            forms
                .iter()
                .any(|form| form.split(' ').next() == Some(verb.name)),
            "{} is not tried",
            verb.name
        );
    }
    let seen = async || {
        (
            alice.snapshot().await["channels"].clone(),
            carol.snapshot().await["channels"].clone(),
        )
    };
    let (before, events) = (seen().await, server.rows("event"));
    for form in ABOUT_CHANNELS {
        alike(&bot, form, "#secrets", "#nothing").await;
        alike(&bot, form, "#far", "#gap").await;
    }
    for form in ABOUT_PEOPLE {
        alike(&bot, form, "carol", "nobdy").await;
    }
    // Direct messages are outside the grant, even with sessions on a channel inside.
    for form in [
        "PRIVMSG {} :hi",
        "NOTICE {} :hi",
        "MARKREAD {}",
        "MARKREAD {} 1",
    ] {
        alike(&bot, form, "bob", "abc").await;
        alike(&bot, form, "alice", "nobdy").await;
    }
    for (there, nowhere) in [
        ("%23secrets", "%23nothing"),
        ("%23far", "%23gap"),
        ("carol", "nobdy"),
        ("bob", "abc"),
    ] {
        let history = |of: &str| bot.request(Method::GET, &format!("/api/v1/history?target={of}"));
        let of_it = Answer::to(history(there)).await;
        let plain = |name: &str| name.replace("%23", "#");
        let of_none = Answer::to(history(nowhere))
            .await
            .map_body(|body| body.replace(&plain(nowhere), &plain(there)));
        assert_eq!((of_it.status, &of_it), (404, &of_none), "{there}");
    }
    assert_eq!(
        (seen().await, server.rows("event"), server.rows("channel")),
        (before, events, 3)
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn requests_about_the_whole_session_are_refused() {
    let server = TestServer::start().await;
    let [alice, _bob, _carol] = world(&server).await;
    let key = alice
        .create_key_with(json!({"name": "bot", "scope": SCOPE, "res": ["#in"]}))
        .await;
    // The server issues no such key. If such a grant existed, it would be confined all the same.
    let database = Connection::open(server.database()).unwrap();
    database
        .execute("UPDATE app SET scope = scope || ' session:manage'", [])
        .unwrap();
    let bot = key.token("").await;
    let (before, events) = (alice.snapshot().await, server.rows("event"));
    for line in ABOUT_THE_SESSION {
        let refused = answer(&bot, line).await;
        let challenge = refused.challenge.as_deref();
        assert_eq!(
            (refused.status, challenge),
            (403, Some("Bearer error=\"insufficient_scope\"")),
            "{line}"
        );
    }
    for path in [
        "/api/v1/clients",
        "/api/v1/keys",
        "/api/v1/grants",
        "/api/v1/audit",
    ] {
        let refused = bot.call(Method::GET, path).await.unwrap_err();
        assert_eq!(
            status_and_code(refused),
            (403, "insufficient_scope".into()),
            "{path}"
        );
    }
    for path in ["/api/v1/clients", "/api/v1/session"] {
        assert_eq!(
            status_and_code(bot.delete(path).await.unwrap_err()),
            (403, "insufficient_scope".into()),
            "{path}"
        );
    }
    let wider = bot
        .post(
            "/api/v1/keys",
            json!({"name": "wide", "scope": "chat:read"}),
        )
        .await
        .unwrap_err();
    assert_eq!(status_and_code(wider), (403, "insufficient_scope".into()));
    assert_eq!(
        (alice.snapshot().await, server.rows("event")),
        (before, events)
    );
}

#[tokio::test]
async fn inside_its_channels_a_bot_does_all_that_its_scope_allows() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#in", ["alice", "bob"]).await;
    let bot = alice
        .create_key_with(json!({"name": "bot", "scope": SCOPE, "res": ["#in", "#new"]}))
        .await
        .token("")
        .await;
    bot.snapshot().await;
    let mut lines = [
        "TOPIC #in :ours",
        "MODE #in +v bob",
        "JOIN #NEW",
        "PRIVMSG #in,#new :hi",
    ]
    .to_vec();
    lines.extend([
        "KICK #in bob",
        "PART #new",
        "JOIN #new",
        "INVITE alice #new",
    ]);
    let refused = lines.pop().unwrap();
    for line in lines {
        bot.send(line).await;
    }
    let shown = [
        "TOPIC", "MODE", "JOIN", "PRIVMSG", "PRIVMSG", "KICK", "PART", "JOIN",
    ];
    assert_eq!(
        commands(&bot.queue().await),
        shown,
        "also on a channel that was created again under its name"
    );
    assert_eq!(
        status_and_code(bot.try_send(refused).await.unwrap_err()),
        (409, "user_on_channel".into())
    );
    bob.send("JOIN #new").await;
    bot.send("INVITE bob #in").await;
    assert_eq!(commands(&bob.queue().await).last(), Some(&"INVITE"));
    let history = bot.history("target=%23in").await;
    assert_eq!(
        commands(&history),
        ["JOIN", "JOIN", "TOPIC", "MODE", "PRIVMSG", "KICK"]
    );
    assert_eq!(
        bot.send("MARKREAD #in 1").await["replies"][0]["params"],
        json!(["#in", "1"])
    );
    assert_eq!(alice.snapshot().await["channels"][0]["read"], 1);
}
