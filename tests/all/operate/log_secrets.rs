//! What the log contains and must never contain. The test logs everything at the finest level, uses
//! every transport, and causes every kind of error.

use reqwest::{Method, header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

use crate::support::{
    App, CONSENT, Device, Process, REDIRECT, Socket, VERIFIER, docs, register, rejoin,
};

mod credentials;

use credentials::*;

/// A filter that names each library, because the server's default rule would otherwise apply to it.
const EVERYTHING: &str = "trace,rejoin=trace,tungstenite=trace,tungstenite::protocol=trace,tungstenite::protocol::frame=trace,\
    tokio_tungstenite=trace,axum=trace,axum::rejection=trace,hyper=trace,hyper_util=trace,h2=trace,tower=trace,tower_http=trace,\
    rusqlite=trace,serde_json=trace,mio=trace,tokio=trace,log=trace";
const PASSWORD: &str = "correct horse battery";
const FORM: &str = "application/x-www-form-urlencoded";

fn text(value: &Value, name: &str) -> String {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
        .to_owned()
}

/// The secrets that a part of the test used.
type Secrets = Vec<String>;

/// Sets passwords, changes them, mistypes them and puts them into wrong places, in every possible
/// way.
async fn passwords(server: &Process) -> (Device, Secrets) {
    let alice = server.create_session("alice").await;
    alice.send(&format!("@label=p PASS :{PASSWORD}")).await;
    alice
        .try_send("PASS 12345678x :wrong-as-a-line")
        .await
        .unwrap_err();
    alice
        .try_send("PASS too many words-as-words")
        .await
        .unwrap_err();
    alice
        .try_send_json(json!({"command": "PASS", "params": ["12345678x", "wrong-as-json"]}))
        .await
        .unwrap_err();
    alice
        .try_send_json(json!({"command": "PASS", "params": {"a": "params-of-a-kind"}}))
        .await
        .unwrap_err();
    alice
        .try_send_json(json!({"command": "PASS", "params": ["x"], "field-by-mistake": 1}))
        .await
        .unwrap_err();
    let phone = server.device().login("alice", PASSWORD).await.unwrap();
    server
        .device()
        .login("alice", "mistyped-as-json")
        .await
        .unwrap_err();
    server
        .device()
        .login("nick-for-a-password", PASSWORD)
        .await
        .unwrap_err();
    for body in [
        json!({"nick": "alice", "password": {"of-a-kind": 1}}),
        json!({"nick": "alice", "password": "with-a-stray-field", "stray": "stray-as-json"}),
        json!({"nick": ["nick-of-a-kind"], "password": "x"}),
    ] {
        server.device().login_with(body).await.unwrap_err();
    }
    for form in [
        "nick=alice&password=mistyped-in-a-form",
        "nick=alice&password=twice-in-a-form&password=twice-in-a-form",
        "nick=alice&password=%ffgarbled-in-a-form",
        "password-without-a-name",
    ] {
        let login = server
            .device()
            .request(Method::POST, "/login")
            .header(header::CONTENT_TYPE, FORM);
        login.body(form).send().await.unwrap();
    }
    server
        .device()
        .request(Method::GET, "/login?next=/&password=pass-in-the-query")
        .send()
        .await
        .unwrap();
    server
        .device()
        .request(Method::GET, "/pass-in-the-path")
        .send()
        .await
        .unwrap();
    server
        .device()
        .request(Method::PUT, "/api/v1/keys/pass-in-an-id")
        .send()
        .await
        .unwrap();
    alice
        .delete("/api/v1/keys/pass-for-a-key")
        .await
        .unwrap_err();
    let own = [&alice, &phone].map(|device| device.cookie.clone().unwrap().replace("rejoin=", ""));
    let typed = [
        PASSWORD,
        "12345678x",
        "wrong-as",
        "words-as",
        "params-of",
        "field-by",
        "mistyped-",
        "nick-for",
        "of-a-kind",
        "with-a-stray",
        "stray-as",
        "twice-in",
        "garbled-in",
        "password-without",
        "pass-in",
        "pass-for",
        "argon2id",
    ];
    (
        alice,
        own.into_iter().chain(typed.map(str::to_owned)).collect(),
    )
}

/// Does the same over the socket, whose frames a library reads: whole, garbled and too long, and
/// also when the server writes.
async fn sockets(server: &Process, alice: &Device, bot: &Device) -> Secrets {
    let mut socket = Socket::open(alice, "").await;
    for message in [
        json!({"command": "PASS", "params": ["socket-new-password", PASSWORD], "label": "a"}),
        json!({"command": "PASS", "params": [PASSWORD, "socket-new-password"], "label": "b"}),
        json!({"command": "PASS", "params": ["12345678x", "socket-wrong"]}),
        json!({"command": "PASS", "params": "socket-of-a-kind"}),
        json!({"command": "PASS", "parms": ["socket-misspelt"]}),
    ] {
        socket.send(message).await;
        socket.answer().await;
    }
    socket
        .send_frame(Message::text("PASS :socket-no-json"))
        .await;
    socket.answer().await;
    socket.send_frame(Message::Ping("socket-ping".into())).await;
    socket
        .send(json!({"command": "PING", "params": ["x"]}))
        .await;
    socket.answer().await;
    socket
        .send_frame(Message::Close(Some(CloseFrame {
            code: 4000.into(),
            reason: "socket-goodbye".into(),
        })))
        .await;
    assert!(socket.frame().await.is_err());
    for frame in [
        Message::binary("socket-binary".as_bytes().to_vec()),
        Message::text("socket-long ".repeat(10_000)),
    ] {
        let mut socket = Socket::open(alice, "").await;
        socket.send_frame(frame).await;
        socket.closed().await;
    }
    // The handshake carries the cookie or a token.
    Socket::open(bot, "")
        .await
        .send(json!({"command": "PING", "params": ["x"]}))
        .await;
    let stranger = server.device().with_cookie("rejoin=socket-cookie");
    assert_eq!(Socket::try_open(&stranger, "", &[]).await.err(), Some(401));
    assert_eq!(
        Socket::try_open(alice, "after=socket-query", &[])
            .await
            .err(),
        Some(400)
    );
    assert_eq!(
        Socket::try_open(alice, "", &[("origin", "https://socket-origin.example")])
            .await
            .err(),
        Some(403)
    );
    vec!["socket-".into()]
}

#[tokio::test]
async fn the_log_is_structured_and_holds_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let (database, log) = (dir.path().join("rejoin.db"), dir.path().join("log"));
    let server = Process::prepared(&database, &log, |command| {
        command.env("RUST_LOG", EVERYTHING);
    });
    let (alice, mut secrets) = passwords(&server).await;
    let (bot, of_keys) = keys(&server, &alice).await;
    secrets.extend(of_keys);
    secrets.extend(apps(&server, &database, &alice).await);
    secrets.extend(sockets(&server, &alice, &bot).await);
    alice.request(Method::POST, "/logout").send().await.unwrap();
    server.terminate();

    let log = std::fs::read_to_string(log).unwrap();
    let mut finest = false;
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line["level"].is_string() && line["fields"].is_object());
        let target = line["target"].as_str().unwrap();
        let ours = target == "rejoin" || target.starts_with("rejoin::");
        assert!(
            ours || !["DEBUG", "TRACE"].contains(&line["level"].as_str().unwrap()),
            "{line}"
        );
        finest |= ours && line["level"] == "DEBUG";
    }
    assert!(finest && log.contains("logged in"));
    // The log shows a request by its route.
    for route in ["/api/v1/keys/{client_id}", "/api/v1/messages", "none"] {
        assert!(log.contains(&format!("\"route\":\"{route}\"")), "{route}");
    }
    // The rule for fail2ban in the documentation matches one line for every failed login.
    let page = docs::page("docs/operate.md");
    let rule = page
        .lines()
        .find_map(|line| line.strip_prefix("failregex = "))
        .unwrap();
    assert!(log.matches(&rule.replace("<HOST>", "127.0.0.1")).count() >= 2);
    for secret in secrets {
        assert!(
            secret.len() >= 7 && !log.contains(&secret),
            "the log holds {secret}"
        );
    }
}
