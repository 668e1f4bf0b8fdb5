//! Finds live channels whose names look like a new channel's name. The answer costs a few look-ups,
//! however many channels there are. Skeletons (UTS #39) are kept only in memory, because what looks
//! alike changes with Unicode's data.

use std::collections::{BTreeSet, HashMap};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    error::Result,
    model::{ChannelId, ChannelName, text::skeletons},
    store::{Effect, Read, channel},
};

/// The skeletons of live channels as of the last commit.
#[derive(Default)]
pub struct Lookalikes {
    /// Held for a few look-ups, never over an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Sets, because any number of ASCII names may share one skeleton.
    by_skeleton: HashMap<String, BTreeSet<ChannelId>>,
    skeletons: HashMap<ChannelId, [String; 2]>,
    /// The id of the newest channel in memory. All live channels up to it are in memory too.
    newest: i64,
}

impl Lookalikes {
    /// Loads the channels of a database.
    pub fn load(&self, tx: &Read) -> Result<()> {
        let mut state = self.lock();
        for (id, name) in channel::made_after(tx, ChannelId(0))? {
            state.add(id, &name);
        }
        state.newest = channel::newest(tx)?.0;
        Ok(())
    }

    /// Applies one effect of a commit.
    pub fn apply(&self, effect: &Effect) {
        match effect {
            Effect::ChannelMade { channel, name } => self.lock().add(*channel, name),
            Effect::ChannelEnded { channel } => self.lock().remove(*channel),
            _ => {}
        }
    }

    /// Whether a channel that is live in this transaction has a name that looks like this one. An
    /// ASCII name is compared only by its folded form, so it looks like no other name.
    pub fn has_one_of(&self, tx: &Read, name: &ChannelName) -> Result<bool> {
        if name.is_ascii() {
            return Ok(false);
        }
        let wanted = skeletons(name.as_str());
        let newest = {
            let state = self.lock();
            // All of these are live, except the few that this transaction has ended, so few are
            // checked.
            for channel in wanted
                .iter()
                .filter_map(|skeleton| state.by_skeleton.get(skeleton))
                .flatten()
            {
                if channel::is_live(tx, *channel)? {
                    return Ok(true);
                }
            }
            state.newest
        };
        // Channels that this transaction has created are not in memory yet.
        let fresh = channel::made_after(tx, ChannelId(newest))?;
        Ok(fresh.iter().any(|(_, name)| {
            skeletons(name.as_str())
                .iter()
                .any(|skeleton| wanted.contains(skeleton))
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn add(&mut self, channel: ChannelId, name: &ChannelName) {
        let skeletons = skeletons(name.as_str());
        for skeleton in &skeletons {
            self.by_skeleton
                .entry(skeleton.clone())
                .or_default()
                .insert(channel);
        }
        self.skeletons.insert(channel, skeletons);
        self.newest = self.newest.max(channel.0);
    }

    fn remove(&mut self, channel: ChannelId) {
        for skeleton in self.skeletons.remove(&channel).into_iter().flatten() {
            if let Some(alike) = self.by_skeleton.get_mut(&skeleton) {
                alike.remove(&channel);
                if alike.is_empty() {
                    self.by_skeleton.remove(&skeleton);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_that_have_ended_leave_nothing_behind() {
        let lookalikes = Lookalikes::default();
        let made = |id: i64, name: &str| Effect::ChannelMade {
            channel: ChannelId(id),
            name: ChannelName::parse(name).unwrap(),
        };
        for (id, name) in [(1, "#list"), (2, "#LІST"), (3, "#rust"), (4, "#日本語")] {
            lookalikes.apply(&made(id, name));
        }
        for id in 1..=4 {
            lookalikes.apply(&Effect::ChannelEnded {
                channel: ChannelId(id),
            });
        }
        let state = lookalikes.lock();
        assert!(state.by_skeleton.is_empty() && state.skeletons.is_empty());
        assert_eq!(state.newest, 4);
    }

    /// At this size, searching all channels of a skeleton for each of them would take minutes.
    #[test]
    fn many_channels_of_one_skeleton_do_not_take_long() {
        const CHANNELS: i64 = 50_000;
        let mut state = State::default();
        // These digits look alike, so all the names have one skeleton and still name different
        // channels.
        let name = |id: i64| {
            let digits = (0..10).map(|place| ['l', '1', '|'][(id / 3_i64.pow(place) % 3) as usize]);
            ChannelName::parse(&format!("#{}", digits.collect::<String>())).unwrap()
        };
        assert_eq!(
            skeletons(name(0).as_str()),
            skeletons(name(CHANNELS - 1).as_str())
        );
        (0..CHANNELS).for_each(|id| state.add(ChannelId(id), &name(id)));
        assert_eq!(state.by_skeleton.len(), 1);
        (0..CHANNELS).for_each(|id| state.remove(ChannelId(id)));
        assert!(state.by_skeleton.is_empty());
    }
}
