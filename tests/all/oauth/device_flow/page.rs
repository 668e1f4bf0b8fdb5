//! The page where a code is typed: what opening it does not do, and what is decided there.

use std::time::Duration;

use rejoin::{audit::Limit, limits::Charge};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{PendingDevice, allow, audit, decide, device_flow_app, post};
use crate::support::{App, Device, TestServer, assert_integrity};

#[tokio::test]
async fn opening_the_page_changes_nothing_and_leads_through_the_login() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let open = async |person: &Device, query: &str| {
        person
            .request(Method::GET, &format!("/device{query}"))
            .send()
            .await
            .unwrap()
    };
    let query = format!("?user_code={}", device.code.to_lowercase());
    for extra in ["", "&decision=allow"] {
        let page = open(&alice, &format!("{query}{extra}")).await;
        assert_eq!(page.headers()[header::X_FRAME_OPTIONS], "DENY");
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        let page = page.text().await.unwrap();
        assert!(
            page.contains(&format!("value=\"{}\"", device.code)) && !page.contains("terminal"),
            "{page}"
        );
    }
    for strange in [
        "",
        "?user_code=",
        "?user_code=%22%3E%3Cscript%3E",
        "?user_code=AAAA-AAAA",
    ] {
        let page = open(&alice, strange).await.text().await.unwrap();
        assert!(
            page.contains("name=\"user_code\" value=\"\""),
            "{strange} {page}"
        );
    }
    let next = format!("/login?next=/device%3Fuser_code%3D{}", device.code);
    for stranger in [
        &server.device(),
        &alice
            .create_key("chat:read session:manage")
            .await
            .token("")
            .await,
    ] {
        let answer = open(stranger, &query).await;
        assert_eq!(
            (
                answer.status().as_u16(),
                &answer.headers()[header::LOCATION]
            ),
            (303, &next.parse().unwrap())
        );
        assert_eq!(
            open(stranger, "").await.headers()[header::LOCATION],
            "/login?next=/device"
        );
        let form = [("user_code", device.code.as_str()), ("decision", "allow")];
        let answer = stranger
            .request(Method::POST, "/device")
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (
                answer.status().as_u16(),
                &answer.headers()[header::LOCATION]
            ),
            (303, &next.parse().unwrap())
        );
    }
    let path = next.replace("%3F", "%3f");
    let login = server
        .device()
        .request(Method::GET, &path)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        login.contains(&format!(
            "name=\"next\" value=\"/device?user_code={}\"",
            device.code
        )),
        "{login}"
    );
    assert_eq!(device.refusal().await, "authorization_pending");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn another_site_cannot_decide() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "null"),
    ] {
        let form = [("user_code", device.code.as_str()), ("decision", "allow")];
        let request = alice
            .request(Method::POST, "/device")
            .header(name, value)
            .form(&form);
        assert_eq!(
            request.send().await.unwrap().status(),
            403,
            "{name}: {value}"
        );
    }
    assert_eq!(device.refusal().await, "authorization_pending");
}

#[tokio::test]
async fn a_denied_device_is_told_and_stays_denied() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let (status, page) = decide(&alice, &device.code, "deny").await;
    assert!(status == 200 && page.contains("Denied"), "{page}");
    assert_eq!(device.refusal().await, "access_denied");
    for decision in ["allow", "deny"] {
        let (status, page) = decide(&alice, &device.code, decision).await;
        assert!(
            status == 404 && page.contains("No device waits with this code"),
            "{page}"
        );
    }
    server.advance(Duration::from_mins(11));
    assert_eq!(device.refusal().await, "access_denied");
    let denied = audit(&alice, "device_denied").await;
    assert_eq!(
        (denied.len(), &denied[0]["app"]),
        (1, &json!(device.app.client_id))
    );
    assert_eq!(server.rows("app_grant"), 0);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn whoever_allows_chooses_the_channels() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust,#chess").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read session:manage").await;
    let device = PendingDevice::start(&app).await;
    let (_, page) = post(&alice, &[("user_code", &device.code)]).await;
    assert!(
        page.contains("value=\"#rust\"") && page.contains("value=\"#chess\""),
        "{page}"
    );
    let allow = [("user_code", device.code.as_str()), ("decision", "allow")];
    for bad in ["chosen rust", "nowhere #rust", "everywhere #rust"] {
        let (r#where, res) = bad.split_once(' ').unwrap();
        let bad = [("where", r#where), ("res", res)];
        assert_eq!(
            post(&alice, &[&allow[..], &bad].concat()).await.0,
            400,
            "{bad:?}"
        );
    }
    let chosen = [
        &allow[..],
        &[("where", "chosen"), ("res", "#rust"), ("res", "#tea")],
    ]
    .concat();
    assert_eq!(post(&alice, &chosen).await.0, 200);
    device.access().await;
    assert_eq!(
        alice.get("/api/v1/grants").await[0]["res"],
        json!(["#rust", "#tea"])
    );
    let (_, manager) = app
        .ask("/auth/device", &[("scope", "session:manage")])
        .await;
    let code = manager["user_code"].as_str().unwrap();
    let (_, page) = post(&alice, &[("user_code", code)]).await;
    assert!(
        page.contains("manage this session") && !page.contains("value=\"#rust\""),
        "{page}"
    );
    let chosen = [
        ("user_code", code),
        ("decision", "allow"),
        ("where", "chosen"),
        ("res", "#rust"),
    ];
    assert_eq!(
        post(&alice, &chosen).await.0,
        400,
        "it would be a false promise"
    );
    assert_integrity(&server.database());
}

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
            "a right one is no guess"
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
        // Elsewhere the session is the same.
        assert_eq!(
            guess(&person.at_address("192.0.2.1"), 0).await,
            (429, "30".into())
        );
    }
    assert_eq!(
        guess(&carol, 0).await,
        (429, "15".into()),
        "the address is the same"
    );
    let right = [("user_code", device.code.as_str())];
    assert_eq!(
        post(&dave, &right).await.0,
        200,
        "neighbours hinder nobody who has made no mistake"
    );
    assert_eq!(post(&carol, &right).await.0, 429, "and she has made one");
    let (status, page) = decide(&alice, &device.code, "allow").await;
    assert!(
        status == 429 && page.contains("too many wrong codes"),
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

/// What a session sends from an address with this code, and how it is answered.
async fn typed(person: &Device, address: &str, code: &str) -> u16 {
    post(&person.at_address(address), &[("user_code", code)])
        .await
        .0
}

#[tokio::test]
async fn however_many_sessions_take_part_a_network_has_so_many_guesses() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    let mut told = Vec::new();
    for n in 0..90 {
        // Each has made no mistake before.
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

/// Strangers everywhere have tried as many as all may: who has the device at hand is let in all the
/// same.
#[tokio::test]
async fn all_networks_together_have_so_many_guesses() {
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
    let tries = server.chat().tries.clone();
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
        "a right one is no guess"
    );
    assert_eq!(typed(&bob, "198.51.100.1", "BBBB-BBBB").await, 404);
    assert_eq!(
        typed(&bob, "198.51.100.2", "BBBB-BBBB").await,
        429,
        "the next one is one too many"
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
        "bob has, from there"
    );
    assert_eq!(
        typed(&alice, home, &near.code).await,
        200,
        "the device is in her house"
    );
    let form = [("user_code", near.code.as_str()), ("decision", "allow")];
    assert_eq!(post(&alice.at_address(home), &form).await.0, 200);
    near.tokens().await;
    server.advance(Duration::from_secs(1));
    assert_eq!(typed(&bob, "198.51.100.3", &far.code).await, 200);
}

#[tokio::test]
async fn codes_for_an_address_are_limited() {
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
            // The first of those that wait ends in eight minutes, and makes room then.
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
            (429, &reason.parse().unwrap())
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
