//! `/.well-known/change-password`: a password manager opens it to lead its user to the page where
//! the password is changed.

use reqwest::{Method, header};

use crate::support::{TestServer, browser::at_both_widths};

const WELL_KNOWN: &str = "/.well-known/change-password";
const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn it_redirects_to_a_page_of_this_origin() {
    let server = TestServer::start().await;
    let device = server.device();
    let response = device
        .request(Method::GET, WELL_KNOWN)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.status(), &response.headers()[header::LOCATION]),
        (
            reqwest::StatusCode::FOUND,
            &"/?change-password".parse().unwrap()
        )
    );
    let there = device
        .request(
            Method::GET,
            response.headers()[header::LOCATION].to_str().unwrap(),
        )
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            there.status().as_u16(),
            &there.headers()[header::CONTENT_TYPE]
        ),
        (200, &"text/html; charset=utf-8".parse().unwrap())
    );
    // A password manager first checks that the server does not answer every path with a page.
    let nothing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    assert_eq!(
        device
            .request(Method::GET, nothing)
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_can_be_changed_there_also_after_a_login() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.shows("#composer").await;
        page.device(&server)
            .await
            .send(&format!("PASS :{PASSWORD}"))
            .await;
        page.goto(&server.url(WELL_KNOWN)).await;
        page.says("#password h2", "Change password").await;
        page.types("#current-password", PASSWORD).await;
        page.types("#new-password", "another horse battery\n").await;
        page.counts("#password", 0).await;
        page.reload().await;
        page.shows("#composer").await;
        page.counts("#password", 0).await;

        // This device is logged out. The session is still live on another one.
        let phone = server.login("alice", "another horse battery").await;
        let this = page.device(&server).await;
        page.goto("about:blank").await;
        this.call(Method::POST, "/api/v1/logout").await.unwrap();
        page.goto(&server.url(WELL_KNOWN)).await;
        page.types("#nick", "alice").await;
        page.click("#log-in").await;
        page.until(
            "return document.querySelector('[name=next]')?.value === '/?change-password'",
            vec![],
        )
        .await;
        page.types("[name=password]", "another horse battery\n")
            .await;
        page.says("#password h2", "Change password").await;
        phone.snapshot().await;
    })
    .await;
}
