//! Charging an attempt, and refusing it.

use crate::{
    audit::Subject,
    error::Result,
    http::extract::address::Address,
    limits::{Charge, Refusal},
    session::Core,
};

/// Charges all of these, or none of them. Fails with `throttled`.
pub async fn charge(
    core: &Core,
    address: &Address,
    subject: Subject,
    charges: &[Charge],
) -> Result<()> {
    match core.rate_limits.charge(charges, address.clock.steady()) {
        Ok(()) => Ok(()),
        Err(refusal) => refuse(core, address, subject, refusal).await,
    }
}

/// Returns a refusal. The first one of its kind and key in an hour is recorded.
pub async fn refuse<T>(
    core: &Core,
    address: &Address,
    subject: Subject,
    refusal: Refusal,
) -> Result<T> {
    if refusal.first {
        core.throttled(refusal.limit, subject, &address.arrival())
            .await;
    }
    Err(refusal.into())
}

/// Charges before an attempt, and gives the charge back if the attempt fails.
pub async fn if_granted<T>(
    core: &Core,
    address: &Address,
    charges: &[Charge],
    attempt: impl Future<Output = Result<T>>,
) -> Result<T> {
    charge(core, address, address.subject(), charges).await?;
    let result = attempt.await;
    if result.is_err() {
        core.rate_limits.refund(charges);
    }
    result
}
