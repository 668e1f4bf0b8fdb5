//! The address on whose behalf a task runs. Its network is charged for what the task uses, and the
//! audit log records it.
//!
//! It belongs to the task and is not an argument, because every part of a request may need
//! something scarce or write a line of the audit log. It decides who waits for whom, and never what
//! a caller may do.

use std::net::IpAddr;

use tokio::task_local;

use crate::model::Network;

task_local! {
    static REQUESTER: IpAddr;
}

/// The address on whose behalf this task runs. `None`: it runs for the server itself or for its
/// operator.
pub fn requester() -> Option<IpAddr> {
    REQUESTER.try_with(|address| *address).ok()
}

/// The network of that address.
pub fn payer() -> Option<Network> {
    requester().map(Network::of)
}

/// Runs a future on behalf of an address.
pub fn on_behalf_of<F: Future>(address: IpAddr, work: F) -> impl Future<Output = F::Output> {
    REQUESTER.scope(address, work)
}

/// Runs a function on behalf of the address for which its work began.
pub fn step_for<T>(requester: Option<IpAddr>, step: impl FnOnce() -> T) -> T {
    match requester {
        Some(address) => REQUESTER.sync_scope(address, step),
        None => step(),
    }
}
