//! The page where a user types a code: opening it changes nothing, and the decision is made there.

use std::time::Duration;

use rejoin::{audit::Limit, limits::Charge};
use reqwest::{Method, header};
use serde_json::{Value, json};

use super::{PendingDevice, allow, audit, decide, device_flow_app, post};
use crate::support::{App, Device, TestServer, assert_integrity};

mod guesses;

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
        let attributes = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            attributes.contains("name=\"user_code\" value=\"\""),
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
            status == 404 && page.contains("No device is waiting with this code"),
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
async fn the_user_who_allows_a_device_chooses_its_channels() {
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
        "a confined choice would be a false promise"
    );
    assert_integrity(&server.database());
}
