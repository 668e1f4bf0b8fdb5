//! The tools of the tests: servers that start and stop for real, and devices as values.

mod app;
pub mod axe;
pub mod browser;
mod code_flow;
mod device;
mod disk;
pub mod docs;
mod grants;
pub mod imports;
mod integrity;
mod json_answer;
mod message;
mod process;
mod queue_reader;
mod raw_http;
mod server;
mod slow_password;
pub mod source;
pub mod tls;
pub mod web_app;

/// The time after which a waiting test fails. It is long because a busy machine may need a part of
/// it.
pub const TEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

/// Repeats a check until it holds. A test that waits in vain fails instead of hanging.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + TEST_TIMEOUT;
    while !look().await {
        assert!(
            tokio::time::Instant::now() < deadline,
            "waited in vain for {what}"
        );
        tokio::task::yield_now().await;
    }
}

pub use app::{App, register};
pub use code_flow::{CONSENT, Params, REDIRECT, VERIFIER, authorization_path, with_param};
pub use device::{Device, Problem, Stream, checked, status_and_code};
pub use disk::{Disk, SmallDisk, preload};
pub use grants::FLAGS;
pub use integrity::{assert_integrity, assert_not_on_disk};
pub use json_answer::{JsonAnswer, commands, params};
pub use message::{Message, Page, read};
pub use process::{Process, copy_keys, rejoin};
pub use queue_reader::{DeliveryMode, QueueEnd, Reader, Socket};
pub use raw_http::{OTHER_ADDRESS, Raw, head};
pub use server::TestServer;
pub use slow_password::slow_password;
