//! The address that a task works for: whose network is charged for what that takes, and what the
//! audit log says of it.
//!
//! It goes with the task and is no argument, because whatever a request does on its way may need
//! something scarce, and may be worth a line of the audit log. It decides who waits for whom and
//! never what a caller may do.

use std::net::IpAddr;

use tokio::task_local;

use crate::model::Network;

task_local! {
    static REQUESTER: IpAddr;
}

/// The address that this task works for. `None`: it works for the server itself, or for its
/// operator.
pub fn requester() -> Option<IpAddr> {
    REQUESTER.try_with(|address| *address).ok()
}

/// The network of that address.
pub fn payer() -> Option<Network> {
    requester().map(Network::of)
}

/// Does something for an address.
pub fn on_behalf_of<F: Future>(address: IpAddr, work: F) -> impl Future<Output = F::Output> {
    REQUESTER.scope(address, work)
}

/// Takes one step of something for the address that it began for.
pub fn step_for<T>(requester: Option<IpAddr>, step: impl FnOnce() -> T) -> T {
    match requester {
        Some(address) => REQUESTER.sync_scope(address, step),
        None => step(),
    }
}
