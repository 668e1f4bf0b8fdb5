//! What the tests are written with: servers that start and stop for real, and people as values.

mod app;
pub mod axe;
pub mod browser;
mod disk;
mod grants;
mod device;
mod process;
mod raw_http;
mod queue_reader;
mod server;
mod code_flow;
mod slow_password;
mod integrity;
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
pub use grants::FLAGS;
pub use device::{Device, Problem, Stream, checked, commands, params, said};
pub use process::{Process, copy_keys, rejoin};
pub use raw_http::{ELSEWHERE, Raw, head};
pub use queue_reader::{Over, Reader, Socket, Way};
pub use server::TestServer;
pub use code_flow::{CONSENT, Pairs, REDIRECT, VERIFIER, authorize, but};
pub use slow_password::slow_password;
pub use integrity::{assert_sound, assert_unwritten};
