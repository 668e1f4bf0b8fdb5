//! Two requests at the same instant.

use std::time::Duration;

use serde_json::json;

use crate::support::{Device, TestServer, commands, slow_password};

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn only_one_of_many_claims_of_a_nick_wins() {
    let server = TestServer::start().await;
    let claims = ["Alice", "alice", "ALICE", "aLICE"].repeat(4);
    let results = futures_util::future::join_all(claims.iter().map(|nick| {
        let visitor = server.device();
        async move { visitor.try_create_session(nick).await }
    }));
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(
        results
            .iter()
            .filter_map(|r| r.as_ref().err())
            .all(|problem| problem.code == "nickname_in_use")
    );
    let (a, b) = (
        server.create_session("a").await,
        server.create_session("b").await,
    );
    let (one, other) = tokio::join!(a.try_send("NICK same"), b.try_send("NICK SAME"));
    assert!(one.is_ok() ^ other.is_ok());
}

#[tokio::test]
async fn two_logins_are_two_clients_of_one_session() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let (one, other) = tokio::join!(
        server.login("alice", PASSWORD),
        server.login("alice", PASSWORD)
    );
    let (one, other) = (one.snapshot().await, other.snapshot().await);
    assert_eq!(one["session"]["id"], other["session"]["id"]);
    assert_ne!(one["client"]["id"], other["client"]["id"]);
}

/// Any of a client's first snapshots may begin its queue. Every event that is in none of the
/// snapshots is in the queue.
#[tokio::test]
async fn the_queue_begins_no_later_than_any_of_simultaneous_first_snapshots() {
    let server = TestServer::start().await;
    let bob = server.create_session("bob").await;
    for n in 0..30 {
        let alice = server.create_session(&format!("alice{n}")).await;
        let snapshots = futures_util::future::join_all((0..12).map(|_| alice.snapshot()));
        let line = format!("PRIVMSG alice{n} :hello");
        let talk = futures_util::future::join_all((0..12).map(|_| bob.send(&line)));
        let (snapshots, _) = tokio::join!(snapshots, talk);
        for snapshot in snapshots {
            let position = |name: &str| snapshot[name].as_i64().unwrap();
            assert!(position("acknowledged") <= position("cursor"), "{snapshot}");
        }
    }
}

#[tokio::test]
async fn two_logins_for_the_last_free_device_slot_fill_it_once() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let login = || {
        let device = server.device();
        async move {
            device
                .login("alice", PASSWORD)
                .await
                .map_err(|problem| problem.code)
        }
    };
    let (one, other) = tokio::join!(login(), login());
    let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert_eq!(refused, ["too_many_clients"]);
}

/// A login races the end of the last client. Either the session goes on with the new client, or it
/// has ended and the login fails.
#[tokio::test]
async fn a_login_races_the_end_of_the_last_client() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let bob = server.create_session("bob").await;
    bob.send("JOIN #rust").await;
    let (mut rejoined, mut ended) = (0, 0);
    // The delay adapts. It shrinks after a race that the login won and grows after one that it
    // lost, so the two meet at the same instant on a machine of any speed.
    let mut delay = Duration::from_millis(20);
    for round in 0..40 {
        let nick = format!("alice{round}");
        let alice = server.create_session(&nick).await;
        alice.send("JOIN #rust").await;
        alice.send(&format!("PASS :{PASSWORD}")).await;
        bob.drain().await;
        let phone = server.device();
        let leave = async {
            tokio::time::sleep(delay).await;
            alice.send("QUIT").await
        };
        let (login, _) = tokio::join!(phone.login(&nick, PASSWORD), leave);
        match login {
            Ok(phone) => {
                rejoined += 1;
                delay = delay * 3 / 4;
                assert_eq!(phone.snapshot().await["channels"][0]["name"], "#rust");
                assert!(bob.queue().await.is_empty());
                phone.send("QUIT").await;
            }
            Err(problem) => {
                ended += 1;
                delay = delay * 5 / 4 + Duration::from_millis(1);
                assert_eq!(problem.code, "login_failed");
                assert_eq!(commands(&bob.queue().await), ["QUIT"]);
                server.create_session(&nick).await;
            }
        }
    }
    assert!(
        rejoined > 0 && ended > 0,
        "{rejoined} rejoined, {ended} ended"
    );
}

#[tokio::test]
async fn one_of_two_passwords_set_at_once_wins_and_the_other_is_checked_again() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let set = |password: &'static str| {
        let alice: Device = alice.clone();
        async move {
            alice
                .try_send_json(json!({"command": "PASS", "params": [password]}))
                .await
        }
    };
    let (one, other) = tokio::join!(set("the first password"), set("the other password"));
    let (winner, loser, problem) = match (one, other) {
        (Ok(_), Err(problem)) => ("the first password", "the other password", problem),
        (Err(problem), Ok(_)) => ("the other password", "the first password", problem),
        both => panic!("{both:?}"),
    };
    assert_eq!(problem.code, "password_required");
    server.login("alice", winner).await;
    assert_eq!(
        server
            .device()
            .login("alice", loser)
            .await
            .unwrap_err()
            .code,
        "login_failed"
    );
}

#[tokio::test]
async fn two_devices_that_remove_each_other_leave_one() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = server.login("alice", PASSWORD).await;
    let (one, other) = tokio::join!(
        alice.delete("/api/v1/clients"),
        phone.delete("/api/v1/clients")
    );
    let results = [one.map_err(|p| p.code), other.map_err(|p| p.code)];
    assert_eq!(
        results.iter().filter(|r| r.is_ok()).count(),
        1,
        "{results:?}"
    );
    assert!(
        results
            .iter()
            .any(|r| r.as_ref().err().is_some_and(|code| code == "client_ended"))
    );
}

fn sql(server: &TestServer, statement: &str, params: &[&dyn rusqlite::ToSql]) {
    rusqlite::Connection::open(server.database())
        .unwrap()
        .execute(statement, params)
        .unwrap();
}

/// The session may change while a password is being verified. The login finds exactly the state
/// that it verified, or fails.
#[tokio::test]
async fn a_login_fails_if_the_verified_state_changed() {
    for change in ["the password", "the session", "the nick", "nothing"] {
        let server = TestServer::with(&["--login-limit", "off"]).await;
        let alice = server.create_session("alice").await;
        alice.send(&format!("PASS :{PASSWORD}")).await;
        let busy = slow_password(&server).await;
        let login = tokio::spawn({
            let device = server.device();
            async move { device.login("alice", PASSWORD).await }
        });
        // The login has read the hash that it will verify, and waits for its turn.
        server.wait_for_metric("rejoin_passwords 5").await;
        match change {
            "the password" => {
                let another = "(SELECT password_hash FROM session WHERE nick = 'slow')";
                sql(
                    &server,
                    &format!("UPDATE session SET password_hash = {another} WHERE nick = 'alice'"),
                    &[],
                );
            }
            "the session" => {
                alice.delete("/api/v1/session").await.unwrap();
                server.create_session("alice").await;
            }
            "the nick" => {
                alice.send("NICK alicia").await;
                server.create_session("alice").await;
            }
            _ => {}
        }
        busy.iter().for_each(tokio::task::JoinHandle::abort);
        let met = login.await.unwrap();
        match change {
            "nothing" => assert_eq!(met.unwrap().snapshot().await["session"]["nick"], "alice"),
            change => assert_eq!(met.expect_err(change).code, "login_failed", "{change}"),
        }
    }
}

/// A request of a removed client changes nothing, even if the request arrived before the removal.
#[tokio::test]
async fn a_pending_request_of_a_removed_client_changes_nothing() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let id = phone.snapshot().await["client"]["id"].clone();
    let busy = slow_password(&server).await;
    let change = tokio::spawn(async move {
        let message = json!({"command": "PASS", "params": ["a new password", PASSWORD]});
        phone.try_send_json(message).await
    });
    server.wait_for_metric("rejoin_passwords 5").await;
    alice
        .delete(&format!("/api/v1/clients/{id}"))
        .await
        .unwrap();
    busy.iter().for_each(tokio::task::JoinHandle::abort);
    let refusal = change.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), &refusal.body["reason"]),
        ("client_ended", &json!("removed"))
    );
    server.login("alice", PASSWORD).await;
}
