//! Charging an attempt, and refusing it.

use crate::{
    audit::Subject,
    error::Result,
    http::{extract::address::Address, state::ServerState},
    limits::{Charge, Refusal},
};

/// Charges all of these, or none of them. Fails with `throttled`.
pub async fn charge(
    server: &ServerState,
    address: &Address,
    subject: Subject,
    charges: &[Charge],
) -> Result<()> {
    match server
        .core
        .rate_limits
        .charge(charges, server.clock.steady())
    {
        Ok(()) => Ok(()),
        Err(refusal) => refuse(server, address, subject, refusal).await,
    }
}

/// Returns a refusal. The first one of its kind and key in an hour is recorded.
pub async fn refuse<T>(
    server: &ServerState,
    address: &Address,
    subject: Subject,
    refusal: Refusal,
) -> Result<T> {
    if refusal.first {
        server
            .core
            .throttled(refusal.limit, subject, &address.arrival(server))
            .await;
    }
    Err(refusal.into())
}

/// Charges before an attempt, and gives the charge back if the attempt fails.
pub async fn if_granted<T>(
    server: &ServerState,
    address: &Address,
    charges: &[Charge],
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    charge(server, address, address.subject(), charges).await?;
    let result = attempt.await;
    if result.is_err() {
        server.core.rate_limits.refund(charges);
    }
    result
}
