//! The main job as users do it, in real Chromium with three profiles.

use crate::support::{
    Process,
    browser::{Browsers, Page, Profile, Window},
};

/// A loopback address that no other test uses, so that the port stays free while the server is
/// killed and started again.
const LISTEN: &str = "127.77.0.1:0";

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("rejoin.db");
    let server = Process::listening(&database, LISTEN, &[]);
    let (base, listen) = (
        server.base.clone(),
        server.base["http://".len()..].to_owned(),
    );
    let browsers = Browsers::take_turn().await;
    let phones = Profile::new(Window::Phone);

    // The new session stores only its cookie in the browser.
    let alice = browsers.open(Window::Desktop).await;
    alice.create_session(&base, "alice").await;
    assert_eq!(alice.cookies().await, [("rejoin".to_owned(), true)]);
    let kept = "return [document.cookie, localStorage.length, sessionStorage.length]";
    assert_eq!(alice.run(kept, vec![]).await, serde_json::json!(["", 0, 0]));
    let databases = alice
        .run(
            "return indexedDB.databases().then((all) => all.length)",
            vec![],
        )
        .await;
    assert_eq!(databases, 0);

    // Both send messages and see each other's at once.
    let bob = browsers.open(Window::Desktop).await;
    bob.create_session(&base, "bob").await;
    alice.say("/join #rust").await;
    alice.says("#channels", "#rust").await;
    alice.say("/topic all about rust").await;
    bob.say("/join #rust").await;
    bob.says("#topic", "all about rust").await;
    alice.say("hello bob").await;
    bob.say("hello alice").await;
    for page in [&alice, &bob] {
        page.shows_message("bob: hello alice").await;
        assert_eq!(
            page.messages().await,
            ["alice: hello bob", "bob: hello alice"]
        );
    }

    // Everything after `/pass ` is the new password. The password appears nowhere on the page.
    alice.say("/pass correct horse battery").await;
    alice.says("body", "A password was set").await;
    let source = alice.run(
        "return document.documentElement.outerHTML + document.querySelector('#composer').value",
        vec![],
    );
    assert!(!source.await.as_str().unwrap().contains("horse"));

    // The phone rejoins the same session.
    let seen_by_bob = bob.text("#messages").await;
    let phone = browsers.open_profile(&phones).await;
    phone.goto(&format!("{base}/login")).await;
    phone.types("#nick", "alice").await;
    phone.types("#password", "correct horse battery").await;
    phone.click("#log-in").await;
    phone.shows("#composer").await;
    phone.says("#topic", "all about rust").await;
    let members = "return [...document.querySelectorAll('#members li')].map((li) => li.innerText.replace(/\\s+/g, ' '))";
    let here = alice
        .run(
            "return [...document.querySelectorAll('#members li')].length",
            vec![],
        )
        .await;
    assert_eq!(
        (
            here,
            phone
                .run(
                    "return [...document.querySelectorAll('#members li')].length",
                    vec![]
                )
                .await
        ),
        (2.into(), 2.into()),
        "{}",
        phone.run(members, vec![]).await
    );
    assert_eq!(
        bob.text("#messages").await,
        seen_by_bob,
        "bob saw nothing of the login"
    );
    bob.say("are you on the phone?").await;
    phone.say("yes").await;
    alice.say("and here").await;
    for page in [&alice, &phone, &bob] {
        page.shows_message("bob: are you on the phone?").await;
        page.shows_message("alice: yes").await;
        page.shows_message("alice: and here").await;
    }

    // The phone's page is closed without a logout, and the server is killed meanwhile. The phone
    // comes back to the messages it missed.
    phone.close().await;
    bob.say("one").await;
    alice.shows_message("bob: one").await;
    server.kill();
    alice
        .until(
            "return document.querySelector('#connection').dataset.state !== 'connected'",
            vec![],
        )
        .await;
    let server = Process::listening(&database, &listen, &[]);
    for page in [&alice, &bob] {
        page.until(
            "return document.querySelector('#connection').dataset.state === 'connected'",
            vec![],
        )
        .await;
    }
    alice.say("two").await;
    bob.shows_message("alice: two").await;
    let phone = browsers.open_profile(&phones).await;
    phone.goto(&base).await;
    phone.shows_message("alice: two").await;
    let whole = [
        "alice: hello bob",
        "bob: hello alice",
        "bob: are you on the phone?",
        "alice: yes",
        "alice: and here",
        "bob: one",
        "alice: two",
    ];
    for page in [&alice, &bob, &phone] {
        assert_eq!(page.messages().await, whole, "once, and in order");
    }

    // Quitting one device is silent. Quitting the last one ends the session.
    let seen_by_bob = bob.text("#messages").await;
    phone.say("/quit").await;
    phone.says("#logged-out", "you quit here").await;
    alice.say("still here").await;
    bob.shows_message("alice: still here").await;
    assert!(bob.text("#messages").await.starts_with(&seen_by_bob));
    assert_eq!(
        bob.run(
            "return document.querySelectorAll('#members li').length",
            vec![]
        )
        .await,
        2
    );
    alice.say("/quit good bye").await;
    alice.says("#logged-out", "you quit here").await;
    bob.says("#messages", "good bye").await;
    bob.until(
        "return document.querySelectorAll('#members li').length === 1",
        vec![],
    )
    .await;
    for page in [&alice, &phone] {
        page.reload().await;
        page.says("#logged-out", "you quit here").await;
    }
    phone.goto(&format!("{base}/login?nick=alice")).await;
    phone.types("#password", "correct horse battery\n").await;
    phone
        .says(
            "#error",
            "There is no session with this nick and this password.",
        )
        .await;
    phone.create_session(&base, "alice").await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dialogs_change_the_password_and_remove_a_device() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(&folder.path().join("rejoin.db"), &[]);
    let browsers = Browsers::take_turn().await;
    let alice = browsers.open(Window::Desktop).await;
    alice.create_session(&server.base, "alice").await;
    alice.say("/join #rust").await;
    alice.says("#channels", "#rust").await;
    alice.say("/pass the first password").await;
    alice.says("body", "A password was set").await;

    let phone = browsers.open(Window::Phone).await;
    phone
        .goto(&format!("{}/login?nick=alice", server.base))
        .await;
    phone.types("#password", "the first password\n").await;
    phone.shows("#composer").await;
    alice
        .says("body", "A device logged in to this session")
        .await;

    // A second /pass is a change, so a dialog asks for the current password. It offers to log out
    // the other devices, which may know the old one.
    alice.say("/pass the second password").await;
    alice
        .types("#current-password", "not the current one")
        .await;
    alice.click("#password .primary").await;
    alice
        .says("#password-error", "current password is wrong")
        .await;
    alice
        .run(
            "document.querySelector('#current-password').value = ''",
            vec![],
        )
        .await;
    alice
        .types("#current-password", "the first password\n")
        .await;
    alice.says("#ask", "Log out your other devices, too?").await;
    phone
        .says("body", "The password of this session was changed")
        .await;
    alice.click("#ask .primary").await;
    phone
        .says("#logged-out", "another device removed this one")
        .await;

    phone
        .goto(&format!("{}/login?nick=alice", server.base))
        .await;
    phone.types("#password", "the second password\n").await;
    phone.shows("#composer").await;

    alice.click("[data-panel=devices]").await;
    alice.says("#devices", "this device").await;
    alice.click("#devices [aria-label^=Remove]").await;
    alice.click("#ask .primary").await;
    phone
        .says("#logged-out", "another device removed this one")
        .await;
    alice
        .until(
            "return document.querySelectorAll('#devices li').length === 1",
            vec![],
        )
        .await;
    phone.reload().await;
    phone
        .says("#logged-out", "another device removed this one")
        .await;
}

/// Every page fits the widths of a phone and of a desktop, and breaks no content security policy.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_the_window_and_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(&folder.path().join("rejoin.db"), &[]);
    let browsers = Browsers::take_turn().await;
    for (number, window) in [Window::Phone, Window::Desktop].into_iter().enumerate() {
        let page = browsers.open(window).await;
        page.add_startup_script(
            "window.refused = []; addEventListener('securitypolicyviolation', (event) => refused.push(event.blockedURI))",
        )
        .await;
        for path in ["/login?next=/", "/"] {
            page.goto(&format!("{}{path}", server.base)).await;
            page.shows("#nick").await;
            fits(&page, path).await;
        }
        page.create_session(&server.base, &format!("alice{number}"))
            .await;
        fits(&page, "the empty chat").await;
        page.say("/join #rust").await;
        page.says("#channels", "#rust").await;
        page.say(&"word".repeat(200)).await;
        page.shows("#messages .message").await;
        fits(&page, "a channel").await;
        for panel in ["devices", "apps", "help"] {
            page.press(&format!("[data-panel={panel}]")).await;
            page.shows(&format!("#{panel}")).await;
            fits(&page, panel).await;
            page.click(&format!("#{panel} .last button")).await;
        }
        assert_eq!(
            page.run("return refused", vec![]).await,
            serde_json::json!([]),
            "the page does nothing that the policy forbids"
        );
        let elsewhere = "return performance.getEntriesByType('resource').filter((r) => !r.name.startsWith(location.origin)).length";
        assert_eq!(
            page.run(elsewhere, vec![]).await,
            0,
            "the page sends no request to another origin"
        );
        if let Some(folder) = std::env::var_os("REJOIN_SCREENSHOTS") {
            let name = format!("chat-{number}.png");
            std::fs::write(
                std::path::Path::new(&folder).join(name),
                page.screenshot().await,
            )
            .unwrap();
        }
    }
}

pub async fn fits(page: &Page, what: &str) {
    let wide = page
        .run(
            "return [document.documentElement.scrollWidth, innerWidth]",
            vec![],
        )
        .await;
    assert!(
        wide[0].as_i64() <= wide[1].as_i64(),
        "{what} is {} wide in a window of {}",
        wide[0],
        wide[1]
    );
}
