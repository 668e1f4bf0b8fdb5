//! The rate limit on user codes.

use super::charges::refuse;
use crate::{
    audit::{Limit, Subject},
    error::{Code, Result},
    http::extract::address::Address,
    limits::Charge,
    model::{Caller, Network},
    session::Core,
};

/// Runs a client's attempt with the code that a device shows. A wrong code counts against the
/// session, against its network, and against all networks together.
///
/// The mistakes of neighbours do not block a session that has made none. Once its network has used
/// up its attempts, such sessions share a second, fixed number of attempts for the whole network.
///
/// Once all networks together have used up their attempts, a session and a network without
/// mistakes go on as before. For all others, `attempt` is given the client's network and finds only
/// codes that were requested from it, because most people have the device beside them.
///
/// Fails with `throttled`, or as the attempt does.
pub async fn user_code<T, F: Future<Output = Result<T>>>(
    core: &Core,
    address: &Address,
    Caller {
        session, client, ..
    }: Caller,
    attempt: impl FnOnce(Option<Network>) -> F,
) -> Result<T> {
    let subject = Subject {
        session: Some(session),
        client: Some(client),
        ..address.subject()
    };
    let (now, rate_limits) = (address.clock.steady(), &core.rate_limits);
    let own = Charge::new(Limit::SessionUserCodes, session);
    let with_own = |limit| {
        [
            Charge::of_network(limit, address.network),
            vec![own.clone()],
        ]
        .concat()
    };
    let innocent = with_own(Limit::UserCodes)
        .iter()
        .all(|charge| rate_limits.is_unused(charge, now));
    let mut charged = rate_limits.attempt(with_own(Limit::UserCodes), now).await;
    // If this attempt is allowed only as an exception, a wrong code gets this refusal.
    let mut refusal = None;
    if let Err(neighbours) = &charged
        && neighbours.limit == Limit::UserCodes
        && rate_limits.is_unused(&own, now)
    {
        refusal = Some(neighbours.clone());
        charged = rate_limits
            .attempt(with_own(Limit::FurtherUserCodes), now)
            .await;
    }
    let charged = match charged {
        Ok(charged) => charged,
        Err(refusal) => return refuse(core, address, subject, refusal).await,
    };
    let everywhere = [Charge::new(Limit::AllUserCodes, "")];
    let (counted, within) = match rate_limits.charge(&everywhere, now) {
        Ok(()) => (true, None),
        Err(all) => {
            refusal = Some(all);
            (false, (!innocent).then(|| address.network.widest()))
        }
    };
    match attempt(within).await {
        Err(wrong) if wrong.code == Code::NotFound => match refusal {
            Some(refusal) => refuse(core, address, subject, refusal).await,
            None => Err(wrong),
        },
        result => {
            charged.pass();
            if counted {
                rate_limits.refund(&everywhere);
            }
            result
        }
    }
}
