//! Guesses at user codes, and floods of codes.

use super::*;

#[tokio::test]
async fn user_codes_cannot_be_guessed() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let (alice, bob, carol) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
        server.create_session("carol").await,
    );
    let dave = server.create_session("dave").await;
    for _ in 0..25 {
        assert_eq!(
            post(&alice, &[("user_code", &device.code)]).await.0,
            200,
            "a right code does not count"
        );
    }
    let guess = async |person: &Device, n: usize| {
        let code = if n.is_multiple_of(2) {
            "BBBB-BBBB"
        } else {
            "no code at all"
        };
        let form = [("user_code", code), ("decision", "allow")];
        let answer = person
            .request(Method::POST, "/device")
            .form(&form)
            .send()
            .await
            .unwrap();
        let wait = answer
            .headers()
            .get(header::RETRY_AFTER)
            .map(|seconds| seconds.to_str().unwrap().to_owned());
        (answer.status().as_u16(), wait.unwrap_or_default())
    };
    for person in [&alice, &bob] {
        for n in 0..10 {
            assert_eq!(guess(person, n).await, (404, String::new()), "try {n}");
        }
        // From another network, the session has still used up its own attempts.
        assert_eq!(
            guess(&person.at_address("192.0.2.1"), 0).await,
            (429, "30".into())
        );
    }
    assert_eq!(
        guess(&carol, 0).await,
        (429, "15".into()),
        "the network has used up its attempts"
    );
    let right = [("user_code", device.code.as_str())];
    assert_eq!(
        post(&dave, &right).await.0,
        200,
        "neighbours do not block a session without mistakes"
    );
    assert_eq!(
        post(&carol, &right).await.0,
        429,
        "and now she has made a mistake"
    );
    let (status, page) = decide(&alice, &device.code, "allow").await;
    assert!(
        status == 429 && page.contains("Too many wrong codes"),
        "{page}"
    );
    assert_eq!(
        audit(&alice, "throttled").await[0]["reason"],
        "session_user_codes"
    );
    assert_eq!(audit(&carol, "throttled").await[0]["reason"], "user_codes");
    assert_eq!(device.refusal().await, "authorization_pending");
    server.advance(Duration::from_secs(30));
    allow(&alice, &device.code).await;
}

/// Posts a code from an address as this session, and returns the status.
async fn typed(person: &Device, address: &str, code: &str) -> u16 {
    post(&person.at_address(address), &[("user_code", code)])
        .await
        .0
}

#[tokio::test]
async fn many_sessions_of_one_network_share_a_limit_on_guesses() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let mut told = Vec::new();
    for n in 0..90 {
        // None of them has made a mistake before.
        let session = server.create_session(&format!("s{n}")).await;
        told.push(typed(&session, "192.0.2.1", "BBBB-BBBB").await);
        if n == 80 {
            assert_eq!(
                audit(&session, "throttled").await[0]["reason"],
                "further_user_codes"
            );
        }
    }
    assert_eq!(told, [[404; 20].as_slice(), &[429; 70]].concat());
    let late = server.create_session("late").await;
    assert_eq!(
        typed(&late, "192.0.2.1", &device.code).await,
        429,
        "the exceptions are used up, too"
    );
    assert_eq!(typed(&late, "192.0.2.2", &device.code).await, 200);
    server.advance(Duration::from_secs(15));
    assert_eq!(typed(&late, "192.0.2.1", &device.code).await, 200);
}

/// Strangers everywhere have used up the attempts of all networks together. A user beside the
/// device still gets through.
#[tokio::test]
async fn all_networks_together_have_a_limit_on_guesses() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let near = PendingDevice::start(&App {
        program: app.program.at_address("2001:db8:1:1::1"),
        ..app.clone()
    })
    .await;
    let far = PendingDevice::start(&App {
        program: app.program.at_address("2001:db8:2:1::1"),
        ..app.clone()
    })
    .await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    let tries = server.core().rate_limits.clone();
    tries
        .charge(
            &[Charge::new(Limit::AllUserCodes, "").amount(999)],
            Duration::ZERO,
        )
        .unwrap();
    let home = "2001:db8:1:2::1";
    assert_eq!(
        typed(&bob, "198.51.100.1", &far.code).await,
        200,
        "a right code does not count"
    );
    assert_eq!(typed(&bob, "198.51.100.1", "BBBB-BBBB").await, 404);
    assert_eq!(
        typed(&bob, "198.51.100.2", "BBBB-BBBB").await,
        429,
        "the next one is over the limit"
    );
    assert_eq!(typed(&alice, home, "BBBB-BBBB").await, 429);
    assert_eq!(typed(&alice, home, &far.code).await, 429);
    let carol = server.create_session("carol").await;
    assert_eq!(
        typed(&carol, "198.51.100.4", &far.code).await,
        200,
        "neither she nor her network has guessed"
    );
    assert_eq!(
        typed(&carol, "198.51.100.2", &far.code).await,
        429,
        "bob has, from that network"
    );
    assert_eq!(
        typed(&alice, home, &near.code).await,
        200,
        "the device is on her own network"
    );
    let form = [("user_code", near.code.as_str()), ("decision", "allow")];
    assert_eq!(post(&alice.at_address(home), &form).await.0, 200);
    near.tokens().await;
    server.advance(Duration::from_secs(1));
    assert_eq!(typed(&bob, "198.51.100.3", &far.code).await, 200);
}

#[tokio::test]
async fn pending_codes_are_limited_per_address() {
    let proxied = ["--trusted-proxy", "127.0.0.1"];
    for (args, most, reason) in [
        (&["--login-limit", "on"], 30, "20"),
        (&["--login-limit", "off"], 50, "480"),
    ] {
        let server = TestServer::with(&[&proxied[..], args].concat()).await;
        let app = device_flow_app(&server, "terminal", true, "chat:read").await;
        let alice = server.create_session("alice").await;
        let first = PendingDevice::start(&app).await;
        if most == 50 {
            // The oldest pending code expires in eight minutes, and makes room then.
            server.advance(Duration::from_secs(120));
        }
        for _ in 1..most {
            PendingDevice::start(&app).await;
        }
        let refused = app.post("/auth/device", &[]).await;
        assert_eq!(
            (
                refused.status().as_u16(),
                &refused.headers()[header::RETRY_AFTER]
            ),
            (429, &reason.parse().unwrap()),
            "{args:?}"
        );
        assert_eq!(
            refused.json::<Value>().await.unwrap()["error"],
            "temporarily_unavailable"
        );
        let elsewhere = App {
            program: app.program.at_address("192.0.2.7"),
            ..app.clone()
        };
        PendingDevice::start(&elsewhere).await;
        PendingDevice::start(&device_flow_app(&server, "other", true, "chat:read").await).await;
        if most == 50 {
            decide(&alice, &first.code, "deny").await;
            PendingDevice::start(&app).await;
        }
        server.advance(Duration::from_secs(600));
        PendingDevice::start(&app).await;
    }
}
