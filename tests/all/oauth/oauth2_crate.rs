//! Every flow with the `oauth2` crate, an independent client. The code flow is in
//! `consent_page.rs`, with a browser.

use std::sync::atomic::{AtomicUsize, Ordering};

use oauth2::{
    AccessToken, AuthType, RefreshToken, RequestTokenError, Scope,
    StandardDeviceAuthorizationResponse, StandardRevocableToken, TokenIntrospectionResponse,
    TokenResponse, basic::BasicErrorResponseType,
};

use crate::{
    oauth::device_flow::allow,
    support::{FLAGS, TestServer, web_app::http},
};

fn scope(text: &str) -> Scope {
    Scope::new(text.to_owned())
}

#[tokio::test]
async fn a_key_gets_a_token_with_its_secret_in_basic_or_in_the_form() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read chat:write").await;
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = key.oauth().await.set_auth_type(how);
        let issued = client
            .exchange_client_credentials()
            .add_scope(scope("chat:read"))
            .request_async(&http)
            .await
            .unwrap();
        assert_eq!(issued.scopes(), Some(&vec![scope("chat:read")]));
        let bot = key.program.with_token(issued.access_token().secret());
        assert_eq!(bot.snapshot().await["session"]["nick"], "alice");
    }
    let client = key.oauth().await;
    let wider = client
        .exchange_client_credentials()
        .add_scope(scope("session:manage"))
        .request_async(&http)
        .await;
    let Err(RequestTokenError::ServerResponse(refusal)) = wider else {
        panic!("{wider:?}")
    };
    assert_eq!(refusal.error(), &BasicErrorResponseType::InvalidScope);
    assert!(refusal.error_description().is_some());
}

#[tokio::test]
async fn a_refresh_token_rotates_and_its_tokens_are_introspected_and_revoked() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("wiki", &FLAGS).await;
    let client = app.oauth().await;
    let first = RefreshToken::new(app.refresh_token_for(&alice, "chat:read identity").await);
    let refreshed = client
        .exchange_refresh_token(&first)
        .add_scope(scope("identity"))
        .request_async(&http)
        .await
        .unwrap();
    let (access, second) = (
        refreshed.access_token().clone(),
        refreshed.refresh_token().unwrap().clone(),
    );
    assert_ne!(second.secret(), first.secret());

    let told = client
        .introspect(&access)
        .request_async(&http)
        .await
        .unwrap();
    assert!(
        told.active()
            && told.username() == Some("alice")
            && told.scopes() == Some(&vec![scope("identity")])
    );
    assert_eq!(
        told.client_id().map(|id| id.as_str()),
        Some(app.client_id.as_str())
    );
    assert_eq!(told.iss(), Some(server.url("").as_str()));
    let revocable = StandardRevocableToken::RefreshToken(second.clone());
    client
        .revoke_token(revocable)
        .unwrap()
        .request_async(&http)
        .await
        .unwrap();
    for token in [access, AccessToken::new(second.secret().clone())] {
        assert!(
            !client
                .introspect(&token)
                .request_async(&http)
                .await
                .unwrap()
                .active()
        );
    }
    let again = client
        .exchange_refresh_token(&second)
        .request_async(&http)
        .await;
    let Err(RequestTokenError::ServerResponse(refusal)) = again else {
        panic!("{again:?}")
    };
    assert_eq!(refusal.error(), &BasicErrorResponseType::InvalidGrant);
    assert_eq!(alice.grants().await.len(), 0);
}

#[tokio::test]
async fn a_device_waits_as_told_and_gets_tokens() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("terminal", &["--public", "--device"]).await;
    let client = app.oauth().await;
    let asked = client
        .exchange_device_code()
        .unwrap()
        .add_scope(scope("chat:read"))
        .request_async(&http)
        .await;
    let asked: StandardDeviceAuthorizationResponse = asked.unwrap();
    assert_eq!(asked.verification_uri().as_str(), server.url("/device"));
    assert!(
        asked
            .verification_uri_complete()
            .unwrap()
            .secret()
            .contains(asked.user_code().secret())
    );
    // The clock advances while the crate waits. Before the third poll the user has typed the code.
    let waits = AtomicUsize::new(0);
    let wait = |time| {
        server.advance(time);
        let third = waits.fetch_add(1, Ordering::Relaxed) == 2;
        let (alice, code) = (alice.clone(), asked.user_code().secret().clone());
        async move {
            if third {
                allow(&alice, &code).await;
            }
        }
    };
    let tokens = client
        .exchange_device_access_token(&asked)
        .request_async(&http, wait, None)
        .await
        .unwrap();
    let terminal = app.program.with_token(tokens.access_token().secret());
    assert_eq!(terminal.snapshot().await["client"]["name"], "terminal");
    assert!(tokens.refresh_token().is_some() && waits.load(Ordering::Relaxed) >= 3);
}
