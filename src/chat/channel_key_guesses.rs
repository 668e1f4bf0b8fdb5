//! Rate limits on guesses at channel keys. People choose these keys, so they can be guessed. Wrong
//! guesses count by session, by network and by channel. A right key is no guess, and neither is a
//! key that a member gives.
//!
//! Keys are judged here, before the command's transaction, because that may run more than once. The
//! transaction judges them again.

use crate::{
    audit::{Action, Limit, Subject},
    chat::running::Chat,
    error::{Error, Result},
    irc::params::TargetResults,
    limits::Charge,
    model::{Arrival, Caller, ChannelId, ChannelName},
    session::Visibility,
    store::{Read, invite, membership},
};

/// The channels whose keys may not be tried now, each with its refusal.
#[derive(Clone, Default)]
pub struct KeyRefusals(Vec<(String, Error)>);

impl KeyRefusals {
    /// The refusal for this channel, if its key may not be tried now.
    pub fn of(&self, name: &ChannelName) -> Option<Error> {
        let folded = name.folded();
        self.0
            .iter()
            .find(|(name, _)| *name == folded)
            .map(|(_, refusal)| refusal.clone())
    }
}

/// A key that was tried.
struct Guess {
    name: ChannelName,
    channel: ChannelId,
    right: bool,
    /// Whether the session was invited or has been on the channel before. Then strangers' guesses
    /// do not keep it out.
    known: bool,
}

impl Chat {
    /// Judges the keys that a JOIN gives, and returns the channels whose keys may not be tried now.
    pub(super) async fn guess_channel_keys(
        &self,
        caller: Caller,
        joined: &TargetResults<(ChannelName, Option<String>)>,
        arrival: &Arrival,
    ) -> Result<KeyRefusals> {
        let given = joined
            .iter()
            .flatten()
            .filter_map(|(name, key)| Some((name.clone(), key.clone()?)));
        let given = given.collect::<Vec<_>>();
        let mut refusals = KeyRefusals::default();
        if given.is_empty() {
            return Ok(refusals);
        }
        for guess in self
            .core
            .read_as(caller, move |tx| guesses(tx, caller, given))
            .await?
        {
            if let Err(refusal) = self.guess_channel_key(caller, &guess, arrival).await {
                refusals
                    .0
                    .push((guess.name.folded(), refusal.about(&guess.name)));
            }
        }
        Ok(refusals)
    }

    async fn guess_channel_key(
        &self,
        caller: Caller,
        guess: &Guess,
        arrival: &Arrival,
    ) -> Result<()> {
        let subject = Subject {
            session: Some(caller.session),
            client: Some(caller.client),
            address: Some(arrival.address),
            channel: Some(guess.name.to_string()),
            ..Subject::default()
        };
        let own = Charge::new(Limit::SessionChannelKeys, caller.session);
        let mut charges = Charge::of_network(Limit::ChannelKeys, arrival.network());
        charges.push(own.clone());
        if !guess.known {
            charges.push(Charge::new(Limit::Channel, guess.channel.0));
        }
        let unused = self.core.rate_limits.is_unused(&own, arrival.steady);
        match self.core.rate_limits.charge(&charges, arrival.steady) {
            Ok(()) if guess.right => self.core.rate_limits.refund(&charges),
            Ok(()) => {
                self.core
                    .record_refusal(Action::ChannelKeyRefused, subject, arrival)
                    .await?
            }
            // Guesses by neighbours do not keep out a session that has guessed nothing wrong.
            Err(refusal) if refusal.limit == Limit::ChannelKeys && unused && guess.right => {}
            Err(refusal) => {
                if refusal.limit == Limit::ChannelKeys && unused {
                    // This session has now guessed wrong.
                    self.core.rate_limits.note(&[own], arrival.steady);
                }
                if refusal.first {
                    self.core.throttled(refusal.limit, subject, arrival).await;
                }
                return Err(refusal.into());
            }
        }
        Ok(())
    }
}

/// The given keys of channels that have a key and that the session is not on.
fn guesses(tx: &Read, caller: Caller, given: Vec<(ChannelName, String)>) -> Result<Vec<Guess>> {
    let visibility = Visibility::of(tx, caller)?;
    let mut guesses = Vec::new();
    for (name, key) in given {
        let Some(channel) = visibility.find_channel(&name)? else {
            continue;
        };
        let Some(wanted) = &channel.modes.key else {
            continue;
        };
        if membership::get(tx, channel.id, caller.session)?.is_some() {
            continue;
        }
        let known = invite::is_pending(tx, channel.id, caller.session)?
            || membership::was(tx, channel.id, caller.session)?;
        guesses.push(Guess {
            right: *wanted == key,
            channel: channel.id,
            known,
            name,
        });
    }
    Ok(guesses)
}
