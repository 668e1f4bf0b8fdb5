//! PASS: which passwords are allowed, in which form they are stored, and how a label treats a
//! repeated PASS.

use serde_json::{Value, json};

use crate::support::{Device, Socket, TestServer, status_and_code};

const PASSWORD: &str = "correct horse battery";
/// One password in the form that is stored, and in the form that some keyboards produce.
const COMPOSED: &str = "caf\u{e9} au lait";
const DECOMPOSED: &str = "cafe\u{301} au\u{a0}lait";
/// Argon2id of "cafe\u{301} au lait". Earlier versions hashed passwords in the form in which they
/// were typed.
const OLD_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$WU6ICPx+zYfHT0l4+6TdWMp7FbgIQom5B8+K6k7Hb3s";

async fn pass(
    device: &Device,
    params: &[&str],
    label: Option<&str>,
) -> Result<Value, (u16, String)> {
    let mut message = json!({"command": "PASS", "params": params});
    if let Some(label) = label {
        message["label"] = label.into();
    }
    device.try_send_json(message).await.map_err(status_and_code)
}

fn refused(status: u16, code: &str) -> Result<Value, (u16, String)> {
    Err((status, code.into()))
}

#[tokio::test]
async fn a_forbidden_password_is_refused_in_every_way_to_set_one() {
    let server = TestServer::with(&["--public-url", "http://chat.localhost:8080"]).await;
    let alice = server.create_session("alice42").await;
    let mut socket = Socket::open(&alice, "").await;
    for (case, params, status, code) in [
        ("7 characters", vec!["1234567"], 400, "weak_password"),
        ("none at all", vec![""], 400, "weak_password"),
        ("a common one", vec!["PassWord1"], 400, "weak_password"),
        (
            "a common one in wide letters",
            vec!["ｐａｓｓｗｏｒｄ"],
            400,
            "weak_password",
        ),
        (
            "the nick and a year",
            vec!["ALICE421984"],
            400,
            "weak_password",
        ),
        (
            "the name of the server",
            vec!["rejoin.server"],
            400,
            "weak_password",
        ),
        (
            "the name of the program and a year",
            vec!["rejoin2026"],
            400,
            "weak_password",
        ),
        (
            "the host name",
            vec!["chat.localhost"],
            400,
            "weak_password",
        ),
        (
            "a tab in it",
            vec!["correct\thorse"],
            400,
            "malformed_request",
        ),
        (
            "a hidden space in it",
            vec!["correct\u{200b}horse"],
            400,
            "malformed_request",
        ),
        (
            "two words while none is set",
            vec!["correct", "horse"],
            400,
            "malformed_request",
        ),
        (
            "a current one while none is set",
            vec![PASSWORD, ""],
            400,
            "malformed_request",
        ),
        (
            "three",
            vec![PASSWORD, PASSWORD, ""],
            400,
            "malformed_request",
        ),
        ("no parameter", vec![], 400, "need_more_params"),
    ] {
        assert_eq!(
            pass(&alice, &params, None).await,
            refused(status, code),
            "{case}"
        );
        socket
            .send(json!({"command": "PASS", "params": params}))
            .await;
        assert_eq!(socket.answer().await["code"], code, "{case}");
        let line = format!(
            "PASS {}",
            params
                .iter()
                .map(|word| format!("{word} "))
                .collect::<String>()
        );
        if params.iter().all(|word| !word.is_empty()) {
            assert_eq!(
                alice
                    .try_send(line.trim_end())
                    .await
                    .map_err(status_and_code),
                refused(status, code),
                "{case}: {line}"
            );
        }
    }
    assert_eq!(alice.snapshot().await["session"]["has_password"], false);
    // A third parameter is always too many. The second one is the current password, if one is set.
    alice.send(&format!("PASS :{PASSWORD}")).await;
    assert_eq!(
        alice
            .try_send("PASS battery horse staple")
            .await
            .map_err(status_and_code),
        refused(400, "malformed_request")
    );
    assert_eq!(
        pass(&alice, &["alice42", PASSWORD], None).await,
        refused(400, "weak_password")
    );
    assert_eq!(
        pass(&alice, &["battery horse", ""], None).await,
        refused(403, "password_mismatch")
    );
    pass(&alice, &["battery horse", PASSWORD], None)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_password_is_the_same_on_every_keyboard() {
    let server = TestServer::start().await;
    for (nick, set) in [("alice", COMPOSED), ("bob", DECOMPOSED)] {
        let device = server.create_session(nick).await;
        pass(&device, &[set], None).await.unwrap();
        for typed in [COMPOSED, DECOMPOSED] {
            server.login(nick, typed).await;
        }
        let unlike = server
            .device()
            .login(nick, "cafe au lait")
            .await
            .unwrap_err();
        assert_eq!(
            status_and_code(unlike),
            (401, "login_failed".into()),
            "{set:?}"
        );
        pass(
            &device,
            &[
                PASSWORD,
                if set == COMPOSED {
                    DECOMPOSED
                } else {
                    COMPOSED
                },
            ],
            None,
        )
        .await
        .unwrap();
    }
}

/// The next login replaces a hash of a password that was stored as typed.
#[tokio::test]
async fn a_hash_of_a_password_as_typed_is_accepted_and_replaced() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    pass(&alice, &[PASSWORD], None).await.unwrap();
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute("UPDATE session SET password_hash = ?1", [OLD_HASH])
        .unwrap();
    let hash = || {
        database
            .query_row("SELECT password_hash FROM session", [], |row| {
                row.get::<_, String>(0)
            })
            .unwrap()
    };
    assert_eq!(
        status_and_code(server.device().login("alice", COMPOSED).await.unwrap_err()),
        (401, "login_failed".into())
    );
    assert_eq!(hash(), OLD_HASH);
    server.login("alice", "cafe\u{301} au lait").await;
    assert_ne!(hash(), OLD_HASH);
    server.login("alice", COMPOSED).await;
}

/// Of a labelled PASS only the verb is kept, so the password itself decides whether it is the same
/// command.
#[tokio::test]
async fn a_label_on_pass_stands_for_one_password() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = pass(&alice, &[COMPOSED], Some("p")).await.unwrap();
    server.restart().await;
    assert_eq!(
        pass(&alice, &[COMPOSED], Some("p")).await.as_ref(),
        Ok(&first)
    );
    assert_eq!(
        pass(&alice, &[DECOMPOSED], Some("p")).await.as_ref(),
        Ok(&first),
        "typed on another keyboard"
    );
    for other in [PASSWORD, "short", "alice"] {
        assert_eq!(
            pass(&alice, &[other], Some("p")).await,
            refused(409, "label_reused")
        );
    }
    let audit = alice.get("/api/v1/audit").await.to_string();
    assert_eq!(
        audit.matches("password_refused").count(),
        3,
        "wrong passwords count as guesses"
    );
    server.login("alice", COMPOSED).await;
    // A change of the password is repeated with its label.
    let changed = pass(&alice, &[PASSWORD, COMPOSED], Some("c"))
        .await
        .unwrap();
    assert_eq!(
        pass(&alice, &[PASSWORD, COMPOSED], Some("c"))
            .await
            .as_ref(),
        Ok(&changed)
    );
    assert_eq!(
        pass(&alice, &[COMPOSED], Some("p")).await,
        refused(409, "label_reused"),
        "the password was changed meanwhile"
    );
    assert_eq!(
        status_and_code(alice.try_send("@label=c PING x").await.unwrap_err()),
        (409, "label_reused".into())
    );
    alice.send("@label=x PING x").await;
    assert_eq!(
        pass(&alice, &[COMPOSED, PASSWORD], Some("x")).await,
        refused(409, "label_reused")
    );
    server.login("alice", PASSWORD).await;
}

#[tokio::test]
async fn a_label_allows_no_more_guesses_than_the_current_password() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    pass(&alice, &[PASSWORD], Some("p")).await.unwrap();
    let mut guesses = 0;
    while pass(&alice, &[&format!("guess number {guesses}")], Some("p")).await
        != refused(429, "throttled")
    {
        guesses += 1;
        assert!(guesses <= 20, "nothing limits the guesses");
    }
    assert_eq!(
        pass(&alice, &["another one", "not the current"], None).await,
        refused(429, "throttled")
    );
}

#[tokio::test]
async fn one_labelled_pass_on_two_connections_takes_effect_once() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let again = || pass(&alice, &[PASSWORD], Some("p"));
    let (a, b, c) = tokio::join!(again(), again(), again());
    assert!(a.is_ok() && a == b && b == c, "{a:?} {b:?} {c:?}");
    assert_eq!(alice.queue().await.len(), 1, "it was set once");
}
