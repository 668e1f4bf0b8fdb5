//! The periodic work of the server: expiry, maintenance and removal.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;

use crate::{error::Result, http::state::ServerState};

/// The time between two rounds of expiry.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
/// The time between two rounds of maintenance.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(60);

/// Runs until the server is stopping. Expired clients are removed within a second, even while the
/// other work runs.
pub async fn run(server: ServerState) {
    let expire = async |server: ServerState| {
        let at = server.clock.moment();
        let told = server.core.tell_untold(server.clock.steady(), at.now).await;
        server.core.expire(at).await.and(told)
    };
    let maintenance = async |server: ServerState| server.core.maintain(server.clock.moment()).await;
    let drop_unreadable = async |server: ServerState| server.core.drop_unreadable().await;
    tokio::select! {
        () = repeat(&server, EXPIRY_INTERVAL, "the expiry of clients", expire) => {}
        () = repeat(&server, EXPIRY_INTERVAL, "the deletion of unreadable events", drop_unreadable) => {}
        () = repeat(&server, MAINTENANCE_INTERVAL, "maintenance", maintenance) => {}
        () = server.stopping.cancelled() => {}
    }
}

/// Runs rounds of some work with a pause after each, whether or not a round succeeds.
async fn repeat<F>(
    server: &ServerState,
    pause: Duration,
    what: &str,
    round: impl Fn(ServerState) -> F,
) where
    F: Future<Output = Result<()>>,
{
    loop {
        // A panic ends its own round and not the loop.
        match AssertUnwindSafe(round(server.clone())).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "{what} failed and will be tried again"),
            Err(_) => tracing::error!("{what} panicked and will be tried again"),
        }
        tokio::time::sleep(pause).await;
    }
}
