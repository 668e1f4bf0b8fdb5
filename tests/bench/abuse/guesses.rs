//! Guesses at secrets that users choose: how many the server verifies before the guesser must wait.

use std::time::Instant;

use serde_json::json;

use super::{super::table::Table, at_most, site::Site, visitor::Visitor};

const PASSWORD: &str = "correct horse battery";
const ALLOWED: &str = "the most it may be";

pub async fn measure(table: &mut Table) {
    let figures = (by_keys().await, 12.0);
    at_most(
        table,
        "guesses of the current password by keys of six /64s",
        ALLOWED,
        "",
        figures,
    );
    let figures = (by_cookie().await, 12.0);
    at_most(
        table,
        "guesses by login with the session's own cookie, 20 /48s",
        ALLOWED,
        "",
        figures,
    );
    let started = Instant::now();
    let judged = by_one_network().await;
    // The burst is 60, and one more guess is allowed every five seconds.
    let figures = (judged, 61.0 + started.elapsed().as_secs_f64() / 5.0);
    at_most(
        table,
        "guesses by login from 30 /64s of one /56",
        ALLOWED,
        "",
        figures,
    );
    let figures = (of_channel_key().await, 50.0);
    at_most(
        table,
        "guesses of a channel's key by five sessions",
        ALLOWED,
        "",
        figures,
    );
}

/// A session with a password, and its cookie, on a server with the default limits except the flood
/// limit.
async fn alice() -> (Site, String) {
    let site = Site::unlimited();
    let mut alice = Visitor::new(site.address(), "198.51.100.1");
    let cookie = alice.create("alice").await;
    assert!(alice.line(&format!("PASS :{PASSWORD}")).await.ok());
    (site.limited(&["--flood-limit", "off"]), cookie)
}

async fn by_keys() -> f64 {
    let (site, cookie) = alice().await;
    let mut judged = 0;
    for n in 0..6 {
        let mut alice = Visitor::new(site.address(), "198.51.100.1").with_cookie(&cookie);
        let mut body = json!({"name": "bot", "scope": "session:manage", "password": PASSWORD});
        let mut key = alice.post("/api/v1/keys", &body).await;
        if !key.ok() {
            body.as_object_mut().unwrap().remove("password");
            key = alice.post("/api/v1/keys", &body).await;
        }
        let (key, network) = (key.json(), format!("2001:db8:{n}::1"));
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            text("client_id"),
            text("client_secret")
        );
        let token = Visitor::new(site.address(), &network)
            .form("/auth/token", &form)
            .await
            .json();
        let mut bot = Visitor::new(site.address(), &network)
            .with_token(token["access_token"].as_str().unwrap_or_default());
        for m in 0..20 {
            let guess = json!({"command": "PASS", "params": ["another good one", format!("a wrong one {n} {m}")]});
            judged += usize::from(
                bot.post("/api/v1/messages", &guess).await.code() == "password_mismatch",
            );
        }
    }
    judged as f64
}

async fn by_cookie() -> f64 {
    let (site, cookie) = alice().await;
    let mut judged = 0;
    for n in 0..20 {
        let mut thief =
            Visitor::new(site.address(), &format!("2001:db8:{n}::1")).with_cookie(&cookie);
        for _ in 0..15 {
            judged += usize::from(
                thief.log_in("alice", "a wrong password").await.code() == "login_failed",
            );
        }
    }
    judged as f64
}

async fn by_one_network() -> f64 {
    let (site, _) = alice().await;
    let mut judged = 0;
    for n in 0..30 {
        let mut guesser = Visitor::new(site.address(), &format!("2001:db8:5:{n:x}::1"));
        for m in 0..20 {
            judged += usize::from(
                guesser
                    .log_in(&format!("nobody{m}"), "a wrong password")
                    .await
                    .code()
                    == "login_failed",
            );
        }
    }
    judged as f64
}

/// Each of five sessions guesses forty times. Commands are not limited.
async fn of_channel_key() -> f64 {
    let site = Site::unlimited().limited(&["--flood-limit", "off"]);
    let mut alice = Visitor::new(site.address(), "198.51.100.1");
    alice.create("alice").await;
    alice.line("JOIN #secret").await;
    alice.line("MODE #secret +k abc").await;
    let mut judged = 0;
    for n in 0..5 {
        let mut guesser = Visitor::new(site.address(), "203.0.113.80");
        guesser.create(&format!("guesser{n}")).await;
        for m in 0..40 {
            let refusal = guesser.line(&format!("JOIN #secret k{n}-{m}")).await.code();
            judged += usize::from(refusal == "bad_channel_key");
        }
    }
    judged as f64
}
