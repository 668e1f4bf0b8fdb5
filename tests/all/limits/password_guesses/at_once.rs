//! Simultaneous guesses from many networks, and their lines in the audit log.

use super::*;

/// Simultaneous wrong guesses are limited like successive ones, and each refused caller gets a
/// correct Retry-After.
#[tokio::test]
async fn simultaneous_wrong_logins_are_limited_with_a_correct_retry_after() {
    let (server, alice) = alice(&[]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let stranger = server.device().at_address("198.51.100.1");
    let logins = (0..40).map(|_| stranger.login("alice", WRONG));
    let refused: Vec<_> = join_all(logins)
        .await
        .into_iter()
        .map(Result::unwrap_err)
        .collect();
    assert_eq!(
        refused
            .iter()
            .filter(|problem| problem.code == "login_failed")
            .count(),
        10
    );
    assert!(
        refused
            .iter()
            .filter(|problem| problem.code != "login_failed")
            .all(|p| throttled(p) == Some(30))
    );
    server.advance(Duration::from_millis(29_900));
    assert_eq!(
        throttled(&stranger.login("alice", PASSWORD).await.unwrap_err()),
        Some(1)
    );
    server.advance(Duration::from_millis(100));
    stranger.login("alice", PASSWORD).await.unwrap();
}

/// All /64s of one customer share a wider limit: one for guesses at one nick, and one for guesses
/// at any nick.
#[tokio::test]
async fn the_networks_of_one_customer_of_ipv6_share_wider_limits() {
    let (server, alice) = alice(&[]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let wrong = async |prefix: &str, networks: std::ops::Range<u32>, nick: &str| {
        let mut failed = 0;
        for n in networks {
            let nick = if nick.is_empty() {
                format!("nobody{n}")
            } else {
                nick.to_owned()
            };
            let device = server
                .device()
                .at_address(&format!("2001:db8:{prefix}{n:02x}::1"));
            failed +=
                usize::from(device.login(&nick, WRONG).await.unwrap_err().code == "login_failed");
        }
        failed
    };
    assert_eq!(
        wrong("1:12", 0..40, "alice").await,
        30,
        "of one nick, from a /56"
    );
    assert_eq!(wrong("1:13", 0..10, "alice").await, 10, "from the next");
    assert_eq!(
        wrong("2:12", 0..70, "").await,
        60,
        "of all nicks, from a /56"
    );
    assert_eq!(wrong("2:13", 0..10, "").await, 10);
}

/// Correct passwords cost time to verify, so a session's devices may give only so many of them, for
/// a change or a renewal.
#[tokio::test]
async fn the_devices_of_a_session_have_a_limit_of_correct_passwords() {
    let (server, alice) = alice(&[]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let change = json!({"command": "PASS", "params": [PASSWORD, PASSWORD]});
    for _ in 0..14 {
        alice.try_send_json(change.clone()).await.unwrap();
    }
    let mut device = alice;
    for _ in 0..15 {
        device = device.login("alice", PASSWORD).await.unwrap();
    }
    assert_eq!(
        throttled(&device.try_send_json(change.clone()).await.unwrap_err()),
        Some(30)
    );
    assert_eq!(
        throttled(&device.login("alice", PASSWORD).await.unwrap_err()),
        Some(30)
    );
    server
        .device()
        .at_address("192.0.2.1")
        .login("alice", PASSWORD)
        .await
        .unwrap();
    server.advance(Duration::from_secs(30));
    device.try_send_json(change).await.unwrap();
}

/// The owner sees the guesses in the audit log.
#[tokio::test]
async fn guesses_are_in_the_sessions_audit_log() {
    let (_server, alice) = alice(&[]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    for _ in 0..BURST {
        alice
            .try_send_json(json!({"command": "PASS", "params": [NEW, WRONG]}))
            .await
            .unwrap_err();
    }
    alice.login("alice", WRONG).await.unwrap_err();
    let response = alice
        .request(Method::GET, "/api/v1/audit")
        .send()
        .await
        .unwrap();
    let lines: Value = checked(response).await.unwrap();
    let told: Vec<_> = lines.items()[3..]
        .iter()
        .map(|line| (&line["action"], &line["reason"]))
        .collect();
    let refused = (json!("password_refused"), Value::Null);
    let throttled = (json!("throttled"), json!("session"));
    let expected = [vec![refused; BURST], vec![throttled]].concat();
    assert_eq!(
        told,
        expected
            .iter()
            .map(|(action, reason)| (action, reason))
            .collect::<Vec<_>>()
    );
}
