//! The network for which a task works, and which is charged for what that takes.
//!
//! It goes with the task and is no argument, because whatever a request does on its way may need something scarce. It only
//! decides who waits for whom, and never what a caller may do.

use tokio::task_local;

use crate::model::Network;

task_local! {
    static PAYER: Network;
}

/// The network for which this task works. `None`: it works for the server itself.
pub fn payer() -> Option<Network> {
    PAYER.try_with(|network| *network).ok()
}

/// Does something for a network.
pub fn on_behalf_of<F: Future>(network: Network, work: F) -> impl Future<Output = F::Output> {
    PAYER.scope(network, work)
}

/// Takes one step of something for the network that it began for.
pub fn step_for<T>(payer: Option<Network>, step: impl FnOnce() -> T) -> T {
    match payer {
        Some(network) => PAYER.sync_scope(network, step),
        None => step(),
    }
}
