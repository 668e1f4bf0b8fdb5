//! The counts against guesses and floods, behind one small interface: charge some keys, and give
//! charges back.

use std::{
    fmt::{self, Display},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Rate,
    attempts_under_way::AttemptsUnderWay,
    buckets::{Buckets, nanoseconds, seconds},
};
use crate::{
    audit::Limit,
    error::Error,
    model::{Network, NetworkWidth},
};

/// A key that is charged, and the amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The limit that counts the key.
    pub limit: Limit,
    width: NetworkWidth,
    /// Plain text, because nodes will share it.
    pub(super) key: String,
    amount: u64,
    /// Whether the caller may have invented the key.
    unknown: bool,
    /// Whether it stays charged even if the attempt passes.
    pub(super) kept: bool,
}

/// The maps that each limit has: for each width, one of keys that exist and one of invented keys.
const KINDS_OF_LIMIT: usize = NetworkWidth::ALL.len() * 2;

impl Charge {
    /// A charge of one, for a key that has nothing to do with networks.
    pub fn new(limit: Limit, key: impl Display) -> Self {
        Self {
            limit,
            width: NetworkWidth::Narrowest,
            key: key.to_string(),
            amount: 1,
            unknown: false,
            kept: false,
        }
    }

    /// Charges of one, for a network and for each wider network around it. A wider network has a
    /// wider limit.
    pub fn of_network(limit: Limit, network: Network) -> Vec<Self> {
        Self::of_network_and(limit, network, "")
    }

    /// Like [`Charge::of_network`], counted for each network together with something else, such as
    /// a nick.
    pub fn of_network_and(limit: Limit, network: Network, other: impl Display) -> Vec<Self> {
        let charge = |network: Network| {
            let of_network = Self::new(limit, format_args!("{network} {other}"));
            Self {
                width: network.width(),
                ..of_network
            }
        };
        network.and_wider().map(charge).collect()
    }

    /// Charges this amount instead of one.
    pub fn amount(self, amount: u64) -> Self {
        Self { amount, ..self }
    }

    /// Marks a key that the caller may have invented, such as a nick that no session has. It has
    /// the same limit. It is counted apart, so that invented keys cannot make existing ones be
    /// forgotten.
    pub fn unknown(self) -> Self {
        Self {
            unknown: true,
            ..self
        }
    }

    /// Keeps the charge even if the attempt passes.
    pub fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    fn rate(&self) -> Rate {
        Rate::of(self.limit).widened(self.width)
    }

    /// The index of the map that it belongs to.
    pub(super) fn map(&self) -> usize {
        self.limit as usize * KINDS_OF_LIMIT + self.width as usize * 2 + usize::from(self.unknown)
    }
}

/// A charge that was refused, because its key must wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The limit that was reached.
    pub limit: Limit,
    /// The seconds after which the same charge passes, unless others come first.
    pub seconds: u64,
    /// Whether it is the key's first refusal within an hour.
    pub first: bool,
}

impl From<Refusal> for Error {
    fn from(Refusal { seconds, .. }: Refusal) -> Self {
        Self::throttled(seconds)
    }
}

/// The counts, in the memory of this process.
pub struct Counts {
    /// Whether anything is limited.
    pub(super) on: bool,
    /// Never held over an await.
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Each kind of key has a map of its own, so that no kind makes the keys of another be
    /// forgotten.
    maps: Vec<Buckets<String>>,
    /// The attempts whose outcome is not known yet.
    pub(super) under_way: AttemptsUnderWay,
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts")
            .field("on", &self.on)
            .finish_non_exhaustive()
    }
}

impl Counts {
    /// Empty counts. Unless `on`, nothing is limited.
    pub fn new(on: bool) -> Self {
        let kinds = Limit::ALL.len() * KINDS_OF_LIMIT;
        let maps = std::iter::repeat_with(Buckets::default)
            .take(kinds)
            .collect();
        Self {
            on,
            state: Mutex::new(State {
                maps,
                ..State::default()
            }),
        }
    }

    /// Makes all charges, or none of them if any must wait. The refusal is that of the longest
    /// wait.
    /// `now` is a steady clock's time.
    pub fn charge(&self, charges: &[Charge], now: Duration) -> Result<(), Refusal> {
        if !self.on {
            return Ok(());
        }
        let mut state = self.lock();
        match state.longest_wait(charges, now) {
            Some((charge, wait)) => Err(state.refuse(charge, wait, now)),
            None => {
                state.take(charges, now);
                Ok(())
            }
        }
    }

    /// Makes charges for something that has happened already. If that exceeds a limit, nothing is
    /// charged and nothing is refused.
    pub fn note(&self, charges: &[Charge], now: Duration) {
        if !self.on {
            return;
        }
        let mut state = self.lock();
        if state.longest_wait(charges, now).is_none() {
            state.take(charges, now);
        }
    }

    /// Checks whether the charges could be made, without making them. Fails like
    /// [`Counts::charge`].
    pub fn check(&self, charges: &[Charge], now: Duration) -> Result<(), Refusal> {
        if !self.on {
            return Ok(());
        }
        let mut state = self.lock();
        match state.longest_wait(charges, now) {
            Some((charge, wait)) => Err(state.refuse(charge, wait, now)),
            None => Ok(()),
        }
    }

    /// Gives back what was charged.
    pub fn refund(&self, charges: &[Charge]) {
        if self.on {
            self.lock().give_back(charges);
        }
    }

    /// Whether nothing counts against a key now.
    pub fn is_unused(&self, charge: &Charge, now: Duration) -> bool {
        !self.on || self.lock().maps[charge.map()].is_free(charge.key.as_str(), nanoseconds(now))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// The charge that must wait longest, and its wait in nanoseconds. `None`: no charge must wait.
    pub(super) fn longest_wait<'c>(
        &self,
        charges: &'c [Charge],
        now: Duration,
    ) -> Option<(&'c Charge, u64)> {
        let now = nanoseconds(now);
        let wait = |charge: &'c Charge| {
            let wait = self.maps[charge.map()].wait(
                charge.key.as_str(),
                charge.rate(),
                charge.amount,
                now,
            )?;
            Some((charge, wait))
        };
        charges
            .iter()
            .filter_map(wait)
            .max_by_key(|(_, wait)| *wait)
    }

    pub(super) fn refuse(&mut self, charge: &Charge, wait: u64, now: Duration) -> Refusal {
        let first = self.maps[charge.map()].is_news(charge.key.as_str(), nanoseconds(now));
        Refusal {
            limit: charge.limit,
            seconds: seconds(wait),
            first,
        }
    }

    pub(super) fn take(&mut self, charges: &[Charge], now: Duration) {
        for charge in charges {
            self.maps[charge.map()].take(
                charge.key.clone(),
                charge.rate(),
                charge.amount,
                nanoseconds(now),
            );
        }
    }

    pub(super) fn give_back(&mut self, charges: &[Charge]) {
        for charge in charges {
            self.maps[charge.map()].give_back(charge.key.as_str(), charge.rate(), charge.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::buckets::KEYS, *};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    fn times(counts: &Counts, charges: &[Charge], times: u32) {
        (0..times).for_each(|_| counts.charge(charges, at(0)).unwrap());
    }

    #[test]
    fn several_keys_are_charged_together_or_not_at_all() {
        let counts = Counts::new(true);
        let (client, nick) = (
            Charge::new(Limit::Session, 1),
            Charge::new(Limit::Nick, "alice"),
        );
        let both = [client, nick.clone()];
        times(&counts, &both, 10);
        for _ in 0..60 {
            assert_eq!(
                counts.charge(&both, at(0)).unwrap_err().limit,
                Limit::Session
            );
        }
        times(&counts, std::slice::from_ref(&nick), 40);
        assert_eq!(
            counts.charge(&[nick], at(0)).unwrap_err().limit,
            Limit::Nick
        );
    }

    #[test]
    fn the_longest_wait_is_reported_and_is_true() {
        let counts = Counts::new(true);
        let short = Charge::of_network(Limit::Address, network("192.0.2.1"));
        let long = Charge::new(Limit::Session, 1);
        times(&counts, &short, 20);
        times(&counts, std::slice::from_ref(&long), 10);
        let both = [&short[..], &[long]].concat();
        let refusal = counts.charge(&both, at(1)).unwrap_err();
        assert_eq!((refusal.limit, refusal.seconds), (Limit::Session, 29));
        assert!(counts.charge(&both, at(29)).is_err() && counts.charge(&both, at(30)).is_ok());
    }

    #[test]
    fn wider_networks_have_wider_limits_of_their_own() {
        let counts = Counts::new(true);
        let tries = |prefix: &str, networks: std::ops::Range<u32>| {
            let mut passed = 0;
            for n in networks {
                let charges =
                    Charge::of_network(Limit::Address, network(&format!("{prefix}{n:x}::1")));
                passed += (0..30)
                    .filter(|_| counts.charge(&charges, at(0)).is_ok())
                    .count();
            }
            passed
        };
        assert_eq!(tries("2001:db8:1:", 0..1), 20, "of a /64");
        assert_eq!(tries("2001:db8:1:", 1..0x100), 40, "60 of a /56");
        assert_eq!(tries("2001:db8:1:", 0x100..0x1000), 140, "200 of a /48");
        assert_eq!(tries("2001:db8:2:", 0..1), 20);
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let counts = Counts::new(false);
        times(&counts, &[Charge::new(Limit::Session, 1).amount(1000)], 3);
    }

    /// A stranger with many networks makes a map forget the keys that are used least. Keys that are
    /// used more stay, and so do all keys of other kinds and of other widths.
    #[test]
    fn a_flood_of_keys_takes_bounded_memory_and_does_not_erase_other_kinds() {
        let counts = Counts::new(true);
        let guessed = Charge::new(Limit::Nick, "alice");
        let wide = Charge::of_network(Limit::Address, network("2001:db8::1"));
        times(&counts, std::slice::from_ref(&guessed), 50);
        times(&counts, &wide, 20);
        let unknown = (0..KEYS * 3).map(|n| {
            Charge::new(Limit::Nick, format!("made-up-{n}"))
                .unknown()
                .amount(50)
        });
        let nicks = (0..KEYS * 3)
            .map(|n| Charge::new(Limit::Nick, format!("another-{n}")))
            .chain(unknown);
        let networks = (0..KEYS as u32 * 3).map(|n| {
            Charge::of_network(
                Limit::Apps,
                network(&format!("2001:{:x}:{:x}::", n >> 16, n & 0xffff)),
            )
        });
        for charges in nicks.map(|nick| vec![nick]).chain(networks) {
            counts.charge(&charges, at(0)).unwrap();
        }
        assert!(counts.lock().maps.iter().all(|map| map.len() <= KEYS));
        assert!(counts.charge(&[guessed], at(0)).is_err() && counts.charge(&wide, at(0)).is_err());
    }
}
