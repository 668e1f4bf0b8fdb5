//! What the tests are written with: servers that start and stop for real, and people as values.

mod app;
pub mod axe;
pub mod browser;
mod disk;
mod given;
mod person;
mod process;
mod raw;
mod reader;
mod server;
mod sign_in;
mod slow;
mod sound;
pub mod tls;
pub mod web_app;

/// How long something may take before a test gives up. Only a test that fails waits for so long: a
/// busy machine needs some of it.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// Looks again and again until something is so; a test that waits in vain fails rather than hangs.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !look().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain for {what}"
        );
        tokio::task::yield_now().await;
    }
}

pub use app::{App, register};
pub use disk::{Disk, SmallDisk};
pub use given::FLAGS;
pub use person::{Device, Problem, Stream, checked, commands, params, said};
pub use process::{Process, copy_keys, rejoin};
pub use raw::{ELSEWHERE, Raw, head};
pub use reader::{Over, Reader, Socket, Way};
pub use server::TestServer;
pub use sign_in::{CONSENT, Pairs, REDIRECT, VERIFIER, authorize, but};
pub use slow::slow_password;
pub use sound::{assert_sound, assert_unwritten};
