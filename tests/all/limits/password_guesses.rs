//! Guesses at passwords: which counts each guess adds to, and which callers the limits never
//! hinder.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{App, Device, JsonAnswer, Problem, Socket, TestServer, checked};

mod at_once;

const PASSWORD: &str = "correct horse battery";
const WRONG: &str = "not the password";
const NEW: &str = "another horse battery";
/// The number of wrong passwords that a session's devices may give at once, and the seconds until
/// one more is allowed.
const BURST: usize = 10;
const EVERY: u64 = 30;

/// A server behind a proxy, and alice, whose session was created from 192.0.2.1 and has no password
/// yet.
async fn alice(args: &[&str]) -> (TestServer, Device) {
    let server = TestServer::with(&[&["--trusted-proxy", "127.0.0.1"], args].concat()).await;
    let alice = server
        .device()
        .at_address("192.0.2.1")
        .try_create_session("alice")
        .await
        .unwrap();
    (server, alice)
}

/// The ways in which a credential of a session can be used to guess the session's password.
#[derive(Clone, Copy, Debug)]
enum DeliveryMode {
    PassText,
    PassJson,
    PassSocket,
    PassByKey,
    NewKey,
    RotateKey,
    Login,
    LoginForm,
}

const WAYS: [DeliveryMode; 8] = [
    DeliveryMode::PassText,
    DeliveryMode::PassJson,
    DeliveryMode::PassSocket,
    DeliveryMode::PassByKey,
    DeliveryMode::NewKey,
    DeliveryMode::RotateKey,
    DeliveryMode::Login,
    DeliveryMode::LoginForm,
];

/// One device of alice's session, and a program with a key of hers.
struct Held {
    device: Device,
    program: Device,
    key: App,
}

impl Held {
    async fn of(device: &Device) -> Self {
        let key = device
            .create_key("session:manage chat:read chat:write")
            .await;
        Self {
            device: device.clone(),
            program: key.token("").await,
            key,
        }
    }

    /// Makes a guess from an address. Returns the code of the refusal and its Retry-After.
    async fn guess(&self, way: DeliveryMode, guess: &str, from: &str) -> (String, Option<u64>) {
        let (device, program) = (self.device.at_address(from), self.program.at_address(from));
        let pass = json!({"command": "PASS", "params": [NEW, guess]});
        let refused = match way {
            DeliveryMode::PassText => device
                .try_send(&format!("PASS {} :{guess}", NEW.replace(' ', "-")))
                .await
                .unwrap_err(),
            DeliveryMode::PassJson => device.try_send_json(pass).await.unwrap_err(),
            DeliveryMode::PassByKey => program.try_send_json(pass).await.unwrap_err(),
            DeliveryMode::NewKey => {
                let wanted = json!({"name": "bot", "scope": "session:manage", "password": guess});
                device.post("/api/v1/keys", wanted).await.unwrap_err()
            }
            DeliveryMode::RotateKey => {
                let path = format!("/api/v1/keys/{}/rotate", self.key.client_id);
                device
                    .post(&path, json!({"overlap": 0, "password": guess}))
                    .await
                    .unwrap_err()
            }
            DeliveryMode::Login => device.login("alice", guess).await.unwrap_err(),
            DeliveryMode::PassSocket => {
                let mut socket = Socket::try_open(&device, "", &[("x-forwarded-for", from)])
                    .await
                    .unwrap();
                socket.send(pass).await;
                let answer = socket.answer().await;
                return (
                    answer["code"].as_str().unwrap().to_owned(),
                    answer["retry_after"].as_u64(),
                );
            }
            DeliveryMode::LoginForm => {
                let form = device
                    .request(Method::POST, "/login")
                    .form(&[("nick", "alice"), ("password", guess)]);
                let answer = form.send().await.unwrap();
                let retry = answer
                    .headers()
                    .get(header::RETRY_AFTER)
                    .map(|v| v.to_str().unwrap().parse().unwrap());
                let code = if answer.status() == 429 {
                    "throttled"
                } else {
                    "login_failed"
                };
                assert!(
                    [401, 429].contains(&answer.status().as_u16()),
                    "{}",
                    answer.status()
                );
                return (code.to_owned(), retry);
            }
        };
        (refused.code, refused.retry_after)
    }
}

fn is_wrong(code: &str) -> bool {
    ["password_mismatch", "login_failed"].contains(&code)
}

fn throttled(problem: &Problem) -> Option<u64> {
    (problem.code == "throttled" && problem.status == 429).then(|| problem.retry_after.unwrap())
}

/// All ways share the one count of the session, although each comes from networks of its own. Over
/// the limit the correct password gets the same refusal as a wrong one. It works again when
/// Retry-After has passed.
#[tokio::test]
async fn all_ways_to_guess_share_one_count_of_the_session() {
    let (server, alice) = alice(&[]).await;
    let held = Held::of(&alice).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let from = |n: usize| format!("2001:db8:{n:x}:{n:x}::1");
    for n in 0..BURST {
        let (code, _) = held.guess(WAYS[n % WAYS.len()], WRONG, &from(n)).await;
        assert!(is_wrong(&code), "{n} {code}");
    }
    for (n, way) in WAYS.into_iter().enumerate() {
        for guess in [WRONG, PASSWORD] {
            let refused = held.guess(way, guess, &from(100 + n)).await;
            assert_eq!(refused, ("throttled".into(), Some(EVERY)), "{way:?}");
        }
    }
    server.advance(Duration::from_secs(EVERY));
    alice.login("alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn each_way_by_itself_is_limited() {
    for way in WAYS {
        let (_server, alice) = alice(&[]).await;
        let held = Held::of(&alice).await;
        alice.send(&format!("PASS :{PASSWORD}")).await;
        for n in 0..BURST {
            let (code, _) = held.guess(way, WRONG, &format!("198.51.100.{n}")).await;
            assert!(is_wrong(&code), "{way:?} {n} {code}");
        }
        assert_eq!(
            held.guess(way, PASSWORD, "198.51.100.200").await,
            ("throttled".into(), Some(EVERY)),
            "{way:?}"
        );
    }
}

/// A neighbour at alice's address and a crowd at other addresses use up the whole limit for
/// strangers.
#[tokio::test]
async fn guesses_of_strangers_never_hinder_a_live_device() {
    let (server, alice) = alice(&[]).await;
    let neighbour = server.device().at_address("192.0.2.1");
    for n in 0..20 {
        neighbour
            .login(&format!("nobody{n}"), WRONG)
            .await
            .unwrap_err();
    }
    assert!(throttled(&neighbour.login("alice", WRONG).await.unwrap_err()).is_some());
    // Alice sets her first password, changes it with the correct current one, and renews her
    // device.
    alice.send(&format!("PASS :{PASSWORD}")).await;
    for n in 0..50 {
        server
            .device()
            .at_address(&format!("198.51.100.{n}"))
            .login("alice", WRONG)
            .await
            .unwrap_err();
    }
    assert!(
        throttled(
            &server
                .device()
                .at_address("203.0.113.9")
                .login("alice", WRONG)
                .await
                .unwrap_err()
        )
        .is_some()
    );
    alice
        .try_send_json(json!({"command": "PASS", "params": [NEW, PASSWORD]}))
        .await
        .unwrap();
    let renewed = alice.login("alice", NEW).await.unwrap();
    // A renewal also works from a network where she has never been, and after mistakes of her own.
    let abroad = renewed.at_address("203.0.113.1");
    for _ in 0..BURST - 1 {
        assert_eq!(
            abroad.login("alice", WRONG).await.unwrap_err().code,
            "login_failed"
        );
    }
    abroad.login("alice", NEW).await.unwrap();
}

/// Wrong guesses by a session's devices do not refuse a login from another network.
#[tokio::test]
async fn the_sessions_own_count_does_not_refuse_strangers() {
    let (server, alice) = alice(&[]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    for _ in 0..=BURST {
        alice.login("alice", WRONG).await.unwrap_err();
    }
    server
        .device()
        .at_address("198.51.100.1")
        .login("alice", PASSWORD)
        .await
        .unwrap();
}

/// A login in progress does not count as a failure. Many correct logins at once all pass, in one
/// session and in several.
#[tokio::test]
async fn simultaneous_correct_logins_all_pass() {
    let (server, alice) = alice(&["--max-clients", "100"]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    for n in 0..3 {
        let other = server
            .device()
            .at_address("192.0.2.2")
            .try_create_session(&format!("other{n}"))
            .await
            .unwrap();
        other.send(&format!("PASS :{PASSWORD}")).await;
    }
    let office = server.device().at_address("198.51.100.1");
    let logins = (0..40).map(|n| {
        let office = office.clone();
        let nick = if n % 2 == 0 {
            "alice".to_owned()
        } else {
            format!("other{}", n % 3)
        };
        async move { office.login(&nick, PASSWORD).await.map(drop) }
    });
    join_all(logins)
        .await
        .into_iter()
        .for_each(|login| login.unwrap());
    // The correct logins have left the limit untouched.
    for _ in 0..10 {
        assert_eq!(
            office.login("alice", WRONG).await.unwrap_err().code,
            "login_failed"
        );
    }
    assert_eq!(
        throttled(&office.login("alice", WRONG).await.unwrap_err()),
        Some(30)
    );
}
