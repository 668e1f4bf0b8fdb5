//! A user signs in to an app, in real Chromium at the widths of a phone and of a desktop. The app's
//! OAuth code is an independent library.

use serde_json::json;

use crate::support::{
    TestServer,
    browser::{Browsers, Page, Window},
    web_app::WebApp,
};

const FLAGS: [&str; 2] = ["--redirect-uri", "http://127.0.0.1/done"];

/// Asserts that nothing on the page is wider than the page.
async fn fits(page: &Page) {
    let script = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(page.run(script, vec![]).await, json!(true));
}

async fn sign_in(window: Window) {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    alice.send("JOIN #rust").await;
    alice.send("JOIN #cooking").await;
    let (wiki, shop) = (
        server.app("The wiki", &FLAGS).await,
        server.app("A shop", &FLAGS).await,
    );
    let (wiki, shop) = (
        WebApp::start(&wiki, "identity chat:read").await,
        WebApp::start(&shop, "identity").await,
    );
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(window).await;

    // Nobody is logged in yet. A silent request fails, and a request with a page first shows the
    // login.
    page.goto(&format!("{}/silently", wiki.address)).await;
    page.says("#said", "login_required").await;
    page.goto(&wiki.address).await;
    page.types("#nick", "alice").await;
    page.types("#password", "correct horse battery\n").await;

    // The test uses only the keyboard. Choosing no channel approves nothing and keeps the form as
    // it was. Then the user chooses one channel and allows.
    page.says("h1", "The wiki").await;
    page.says("main", "You are logged in as alice").await;
    fits(&page).await;
    if let Ok(folder) = std::env::var("REJOIN_SCREENSHOTS") {
        std::fs::write(
            format!("{folder}/consent-{}.png", window.width()),
            page.screenshot().await,
        )
        .unwrap();
    }
    page.types("input[value=chosen]", " ").await;
    page.types("[value=allow]", "\n").await;
    page.says(".error", "Choose at least one channel").await;
    page.types("input[name=res][value='#rust']", " ").await;
    page.types("[value=allow]", "\n").await;
    page.says("#said", "Hello alice").await;
    let grants = alice.get("/api/v1/grants").await;
    assert_eq!(
        (&grants[0]["app"], &grants[0]["res"]),
        (&json!("The wiki"), &json!(["#rust"]))
    );

    // The next sign-in needs no page. Another app has to ask, and the user denies it.
    page.goto(&format!("{}/silently", wiki.address)).await;
    page.says("#said", "Hello alice").await;
    page.goto(&format!("{}/silently", shop.address)).await;
    page.says("#said", "consent_required").await;
    page.goto(&shop.address).await;
    page.click("[value=deny]").await;
    page.says("#said", "access_denied").await;
    assert_eq!(alice.grants().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_a_user_signs_in_chooses_a_channel_and_denies_another_app() {
    sign_in(Window::Phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_desktop_a_user_signs_in_chooses_a_channel_and_denies_another_app() {
    sign_in(Window::Desktop).await;
}
