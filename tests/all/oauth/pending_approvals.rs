//! Approvals that are not redeemed yet: whatever ends a grant, a client or a password also ends the
//! approvals that depend on it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    oauth::device_flow::{PendingDevice, allow, device_flow_app},
    support::{
        App, Device, FLAGS, JsonAnswer, REDIRECT, Stream, TestServer, VERIFIER, assert_integrity,
        params,
    },
};

mod reused_codes;

const PASSWORD: &str = "correct horse battery";

async fn grants(alice: &Device) -> Vec<Value> {
    alice.get("/api/v1/grants").await.items().to_vec()
}

fn error(answer: &(u16, Value)) -> &str {
    answer.1["error"].as_str().unwrap_or_default()
}

async fn native(server: &TestServer) -> App {
    server
        .app(
            "native",
            &["--public", "--redirect-uri", REDIRECT, "--device"],
        )
        .await
}

#[tokio::test]
async fn the_end_of_a_grant_voids_its_apps_pending_approvals() {
    let server = TestServer::start().await;
    for ends in ["by its session", "by its app", "by its client"] {
        let alice = server.create_session("alice").await;
        let (app, other) = (native(&server).await, server.app("other", &FLAGS).await);
        let first = alice
            .approve(&app.authorization_request("chat:read"), &[])
            .await
            .code();
        let second = alice
            .approve(&app.authorization_request("chat:read"), &[])
            .await
            .code();
        let terminal = PendingDevice::start(&app).await;
        allow(&alice, &terminal.code).await;
        let of_other = alice
            .approve(&other.authorization_request("identity"), &[])
            .await
            .code();
        let (_, tokens) = app.redeem(&first).await;
        let grant = grants(&alice).await[0].clone();
        match ends {
            "by its session" => drop(
                alice
                    .delete(&format!("/api/v1/grants/{}", grant["id"]))
                    .await
                    .unwrap(),
            ),
            "by its client" => drop(
                alice
                    .delete(&format!("/api/v1/clients/{}", grant["client"]))
                    .await
                    .unwrap(),
            ),
            _ => {
                let token = tokens["access_token"].as_str().unwrap();
                assert_eq!(app.ask("/auth/revoke", &[("token", token)]).await.0, 200);
            }
        }
        assert_eq!(error(&app.redeem(&second).await), "invalid_grant", "{ends}");
        assert_eq!(terminal.refusal().await, "access_denied", "{ends}");
        assert_eq!(
            other.redeem(&of_other).await.0,
            200,
            "another app's approval stays"
        );
        assert_eq!(grants(&alice).await.len(), 1, "{ends}");
        assert_integrity(&server.database());
        alice.delete("/api/v1/session").await.unwrap();
    }
}

/// A copied cookie is the same client, so the calling device's own approvals are void, too.
#[tokio::test]
async fn a_renewal_a_new_password_and_the_removal_of_others_void_every_approval() {
    let server = TestServer::start().await;
    let app = native(&server).await;
    for how in [
        "a renewal",
        "the first password",
        "a change of password",
        "the removal of all others",
    ] {
        let alice = server.create_session("alice").await;
        if how != "the first password" {
            alice.send(&format!("PASS :{PASSWORD}")).await;
        }
        let code = alice
            .approve(&app.authorization_request("chat:read"), &[])
            .await
            .code();
        let terminal = PendingDevice::start(&app).await;
        allow(&alice, &terminal.code).await;
        let alice = match how {
            "a renewal" => alice.login("alice", PASSWORD).await.unwrap(),
            "the removal of all others" => {
                alice.delete("/api/v1/clients").await.unwrap();
                alice
            }
            "the first password" => {
                alice.send(&format!("PASS :{PASSWORD}")).await;
                alice
            }
            _ => {
                alice
                    .try_send_json(
                        json!({"command": "PASS", "params": ["another horse", PASSWORD]}),
                    )
                    .await
                    .unwrap();
                alice
            }
        };
        assert_eq!(error(&app.redeem(&code).await), "invalid_grant", "{how}");
        assert_eq!(terminal.refusal().await, "access_denied", "{how}");
        assert!(grants(&alice).await.is_empty(), "{how}");
        alice.delete("/api/v1/session").await.unwrap();
    }
}

#[tokio::test]
async fn pending_approvals_are_listed_with_the_grants_and_can_be_withdrawn() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let (app, tv) = (
        server.app("wiki", &FLAGS).await,
        device_flow_app(&server, "tv", true, "chat:read").await,
    );
    let code = alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    let terminal = PendingDevice::start(&tv).await;
    allow(&alice, &terminal.code).await;
    let listed = grants(&alice).await;
    let shown = |view: &Value| {
        (
            view["app"].clone(),
            view["scope"].clone(),
            view["pending"].clone(),
            view["id"].clone(),
        )
    };
    let expected = |app: &str, scope: &str| (json!(app), json!(scope), json!(true), Value::Null);
    assert_eq!(
        listed.iter().map(shown).collect::<Vec<_>>(),
        [expected("wiki", "identity"), expected("tv", "chat:read")]
    );
    assert!(
        listed
            .iter()
            .all(|view| view["expires_at"].is_string() && view["client"].is_null()),
        "{listed:?}"
    );
    assert!(grants(&bob).await.is_empty());

    let path = |app: &App| format!("/api/v1/approvals/{}", app.client_id);
    for stranger in [&bob, &server.create_session("carol").await] {
        assert_eq!(
            stranger.delete(&path(&app)).await.unwrap_err().code,
            "not_found"
        );
    }
    alice.delete(&path(&app)).await.unwrap();
    assert_eq!(
        alice.delete(&path(&app)).await.unwrap_err().code,
        "not_found"
    );
    assert_eq!(error(&app.redeem(&code).await), "invalid_grant");
    assert_eq!(grants(&alice).await.len(), 1);
    terminal.access().await.snapshot().await;
    let listed = grants(&alice).await;
    assert_eq!((listed.len(), &listed[0]["pending"]), (1, &json!(false)));
    assert_eq!(
        alice.delete(&path(&tv)).await.unwrap_err().code,
        "not_found"
    );
}
