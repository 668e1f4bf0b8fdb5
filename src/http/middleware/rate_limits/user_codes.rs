//! The rate limit on user codes.

use super::charges::refuse;
use crate::{
    audit::{Limit, Subject},
    error::{Code, Result},
    http::{extract::address::Address, state::ServerState},
    limits::Charge,
    model::{Caller, Network},
};

/// Lets a client type the code that a device shows. Wrong ones count, by session, by network and of
/// all networks together.
///
/// What neighbours have tried does not keep out the right code of a session that has made no
/// mistake; but however many such sessions there are, a network has so many tries more and no
/// others. When all networks together have tried too much, a session and a network that have made
/// no mistake try on. For the others, codes are looked for among those that were asked for from the
/// client's own network, which is given to `attempt`: most people have the device beside them.
pub async fn user_code<T, F: Future<Output = Result<T>>>(
    server: &ServerState,
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
    let (now, rate_limits) = (server.clock.steady(), &server.core.rate_limits);
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
    // What a wrong one is refused with, because it is no more than an exception.
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
        Err(refusal) => return refuse(server, address, subject, refusal).await,
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
            Some(refusal) => refuse(server, address, subject, refusal).await,
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
