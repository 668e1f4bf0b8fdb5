//! The pages of the device flow in a real browser, at the widths of a phone and of a desktop.

use crate::{
    oauth::device_flow::{PendingDevice, device_flow_app},
    page::main_job::fits,
    support::{
        JsonAnswer, TestServer, assert_integrity,
        browser::{Browsers, Page, Window},
    },
};

/// Saves a screenshot of the page if REJOIN_SCREENSHOTS is set.
async fn picture(page: &Page, name: &str) {
    if let Some(folder) = std::env::var_os("REJOIN_SCREENSHOTS") {
        std::fs::write(
            std::path::Path::new(&folder).join(name),
            page.screenshot().await,
        )
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_types_the_code_and_allows_the_device() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust,#chess").await;
    alice.send("PASS :correct horse battery").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read chat:write").await;
    let browsers = Browsers::take_turn().await;
    for (width, window) in [(360, Window::Phone), (1280, Window::Desktop)] {
        let device = PendingDevice::start(&app).await;
        let page = browsers.open(window).await;
        page.goto(&server.url("/device")).await;
        page.types("#nick", "alice").await;
        page.types("#password", "correct horse battery\n").await;
        page.shows("#code").await;
        fits(&page, "the page for the code").await;
        picture(&page, &format!("device-code-{width}.png")).await;
        page.types("#code", "bbbbbbbb\n").await;
        page.says("#error", "No device is waiting with this code")
            .await;
        picture(&page, &format!("device-wrong-{width}.png")).await;
        page.run("document.querySelector('#code').value = ''", vec![])
            .await;
        page.types(
            "#code",
            &format!("{}\n", device.code.to_lowercase().replace('-', "")),
        )
        .await;
        page.says("h1", "Is this device in front of you?").await;
        assert_eq!(page.text("#code").await, device.code);
        page.says(
            "#who",
            "terminal asked just now from the address 127.0.0.1 to join as alice",
        )
        .await;
        fits(&page, "the question").await;
        picture(&page, &format!("device-confirm-{width}.png")).await;
        let look = async |value: &str| {
            let script = "const button = document.querySelector(arguments[0]); const style = getComputedStyle(button);
                return [button.offsetHeight, style.color, style.backgroundColor, style.borderColor, style.font]";
            page.run(script, vec![format!("[value={value}]").into()])
                .await
        };
        assert_eq!(
            look("allow").await,
            look("deny").await,
            "neither answer is highlighted"
        );
        page.click("[name=where][value=chosen]").await;
        page.click("[value=allow]").await;
        page.says(".error", "Choose at least one channel").await;
        assert_eq!(device.refusal().await, "authorization_pending");
        page.click("[name=res][value='#rust']").await;
        page.click("[value=allow]").await;
        page.says("h1", "Done").await;
        page.says("main p", "You can go back to your device").await;
        fits(&page, "the end").await;
        picture(&page, &format!("device-done-{width}.png")).await;
        device.access().await;
        let grants = alice.get("/api/v1/grants").await;
        let granted = grants.items().last().unwrap();
        assert_eq!(granted["res"], serde_json::json!(["#rust"]));
        page.close().await;
    }
    assert_integrity(&server.database());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_with_the_code_approves_nothing_and_enter_denies() {
    let server = TestServer::start().await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let device = PendingDevice::start(&app).await;
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    page.create_session(&server.url(""), "alice").await;
    page.goto(&server.url(&format!("/device?user_code={}&decision=allow", device.code)))
        .await;
    page.shows("#code").await;
    let value = page
        .run("return document.querySelector('#code').value", vec![])
        .await;
    assert_eq!(value, device.code);
    assert_eq!(device.refusal().await, "authorization_pending");
    // The test uses only the keyboard. The first field has the focus, and Enter chooses the answer
    // that denies.
    assert_eq!(
        page.run("return document.activeElement.id", vec![]).await,
        "code"
    );
    page.types("#code", "\n").await;
    page.says("h1", "Is this device in front of you?").await;
    assert_eq!(
        device.refusal().await,
        "slow_down",
        "the device still waits"
    );
    page.types("[name=where]", "\n").await;
    page.says("h1", "Denied").await;
    assert_eq!(device.refusal().await, "access_denied");
    assert_integrity(&server.database());
}
