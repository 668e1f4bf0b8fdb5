//! Retention and the removal of unreadable events, against the list.

use super::*;

impl World<'_> {
    /// Runs retention and compares what it removes with the list.
    pub fn retain(&mut self, age: i64, batch: usize, rest: bool) -> TestCaseResult {
        let cutoff = Timestamp(self.now - age);
        let dropped = retention::drop_events(self.tx, cutoff, Timestamp(self.now), batch).unwrap();
        // Retention removes up to the last old event before the first young one. An event with a
        // time in the future counts as neither.
        let (old, young) = (
            |time| time <= cutoff.0,
            |time| time > cutoff.0 && time <= self.now,
        );
        let left = || {
            self.list
                .iter()
                .filter(|event| !event.gone)
                .take_while(|event| !young(event.clock))
        };
        let count = left()
            .enumerate()
            .filter(|(_, event)| old(event.clock))
            .last()
            .map_or(0, |(n, _)| n + 1)
            .min(batch);
        prop_assert_eq!(dropped, count);
        self.list
            .iter_mut()
            .filter(|event| !event.gone)
            .take(count)
            .for_each(|event| event.gone = true);
        if rest {
            while retention::drop_stays(self.tx, batch).unwrap() == batch {}
            while channel_history::drop_old(self.tx, batch).unwrap() == batch {}
            while retention::drop_tombstones(self.tx, cutoff, cutoff, batch).unwrap() >= batch {}
        }
        Ok(())
    }

    /// Removes the events that nobody can read. All events that anyone can read must stay, and all
    /// others must be gone.
    pub fn sweep(&mut self, batch: usize) -> TestCaseResult {
        while unreadable::remove(self.tx, batch).unwrap() >= batch {}
        for event in self.list.iter_mut().filter(|event| !event.gone) {
            let stayed = self
                .tx
                .sql()
                .prepare_cached("SELECT 1 FROM event WHERE id = ?1")
                .unwrap()
                .exists([event.id]);
            event.gone = !stayed.unwrap();
            let for_members = event
                .kept
                .iter()
                .any(|kept| self.channels.contains(&Some(*kept)));
            let readable =
                for_members || self.people.iter().any(|session| event.heard_by(*session));
            prop_assert_eq!(event.gone, !readable, "{}", event.id);
        }
        Ok(())
    }
}
