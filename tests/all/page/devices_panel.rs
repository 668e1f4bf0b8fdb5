//! The panel of devices, in real Chromium: renewing a device, and revoking keys together with other
//! devices.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Device, JsonAnswer, TestServer, browser::Page, browser::at_both_widths, until,
};

const PASSWORD: &str = "correct horse battery";

async fn alice(server: &TestServer, page: &Page) -> Device {
    page.create_session(&server.url(""), "alice").await;
    page.shows("#composer").await;
    let alice = page.device(server).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    page.says("body", "A password was set").await;
    alice
}

async fn key(alice: &Device, scope: &str) -> Value {
    let key = json!({"name": "deploy-bot", "scope": scope, "password": PASSWORD});
    alice.post("/api/v1/keys", key).await.unwrap()
}

async fn live_keys(alice: &Device) -> usize {
    let keys = alice.get("/api/v1/keys").await;
    keys.items()
        .iter()
        .filter(|key| key["ended_at"].is_null())
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_renewed_by_the_password() {
    at_both_widths(async |server, page| {
        let old = alice(&server, page).await;
        page.press("[data-panel=devices]").await;
        page.says("#devices .devices li", "days unless renewed")
            .await;
        let before = old.get("/api/v1/clients").await[0]["expires_at"].clone();
        server.advance(Duration::from_hours(24));
        page.click("#devices .renew").await;
        page.types("#current-password", "something else\n").await;
        page.says("#renew .error", "here is no session with this nick")
            .await;
        page.run(
            "document.querySelector('#current-password').value = ''",
            vec![],
        )
        .await;
        page.types("#current-password", &format!("{PASSWORD}\n"))
            .await;
        page.counts("#renew", 0).await;
        let alice = page.device(&server).await;
        let clients = alice.get("/api/v1/clients").await;
        assert_eq!(clients.items().len(), 1);
        assert!(
            clients[0]["expires_at"].as_str() > before.as_str(),
            "{clients}"
        );
        // The page continues with its new cookie.
        page.click("#devices .last button").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        page.until(
            "return document.querySelector('#connection').dataset.state === 'connected'",
            vec![],
        )
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_all_others_and_a_new_password_offer_to_revoke_the_keys() {
    at_both_widths(async |server, page| {
        let alice = alice(&server, page).await;
        key(&alice, "chat:read").await;
        server.login("alice", PASSWORD).await;
        page.press("[data-panel=devices]").await;
        page.counts("#devices .devices li", 2).await;
        page.click("#devices .others").await;
        page.says("#ask", "Revoke my API keys, too (1)").await;
        // Revoking the keys is optional. If the user does not choose it, the keys stay.
        page.click("#ask .primary").await;
        page.counts("#devices .devices li", 1).await;
        assert_eq!(live_keys(&alice).await, 1);
        server.login("alice", PASSWORD).await;
        page.counts("#devices .devices li", 2).await;
        page.click("#devices .others").await;
        page.click("#ask [value=keys]").await;
        page.click("#ask .primary").await;
        page.counts("#devices .devices li", 1).await;
        until("no key to be left", async || live_keys(&alice).await == 0).await;
        page.click("#devices .last button").await;

        key(&alice, "chat:read").await;
        page.press("#open-password").await;
        page.types("#current-password", PASSWORD).await;
        page.types("#new-password", "another horse battery\n").await;
        page.says("#ask", "Password changed. Revoke your API keys, too?")
            .await;
        page.click("#ask .primary").await;
        until("no key to be left", async || live_keys(&alice).await == 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_manages_the_session_gets_a_new_secret_by_the_password() {
    at_both_widths(async |server, page| {
        let alice = alice(&server, page).await;
        key(&alice, "session:manage").await;
        page.press("[data-panel=apps]").await;
        page.click("#apps [aria-label='Rotate deploy-bot']").await;
        page.types("#current-password", "something else\n").await;
        page.says("#ask-error", "password is wrong").await;
        page.run(
            "document.querySelector('#current-password').value = ''",
            vec![],
        )
        .await;
        page.types("#current-password", &format!("{PASSWORD}\n"))
            .await;
        page.counts("#ask", 0).await;
        page.counts("#apps .row", 2).await;
    })
    .await;
}
