//! Queues and histories against the list.

use super::*;

impl World<'_> {
    /// Reads a queue to its end from `after` and compares each page with the list.
    pub fn read_queue(
        &self,
        visibility: &Visibility,
        me: SessionId,
        mut after: i64,
        limits: &[usize],
        mine: impl Fn(&Happened) -> bool,
    ) -> TestCaseResult {
        for limit in limits.iter().cycle() {
            let page = visibility.page(me, EventId(after), *limit).unwrap();
            let at_once = visibility.page_in_one_statement(me, EventId(after), *limit);
            prop_assert_eq!(&at_once.unwrap(), &page);
            let mine = self
                .list
                .iter()
                .filter(|event| event.id > after && mine(event));
            let lost = mine
                .clone()
                .filter(|event| event.gone)
                .map(|event| event.id)
                .max();
            let kept: Vec<_> = mine.filter(|event| !event.gone).take(*limit).collect();
            let held = held(&kept);
            let more = kept.len() == *limit || held.len() < kept.len();
            let next = held
                .last()
                .filter(|_| more)
                .map_or(self.head(), |(id, _)| *id);
            prop_assert_eq!(
                seen(&page.events),
                held,
                "{} past {} by {}",
                me,
                after,
                limit
            );
            prop_assert_eq!(
                (page.next.0, page.more),
                (next, more),
                "{} past {} by {}",
                me,
                after,
                limit
            );
            prop_assert_eq!(
                page.gap,
                lost.map(|last| (EventId(after + 1), EventId(last))),
                "{} past {}",
                me,
                after
            );
            if !more {
                break;
            }
            after = next;
        }
        Ok(())
    }

    /// Reads every part of a history, before, around and after an event, and compares it with the
    /// list.
    pub fn read_history(
        &self,
        history: impl Fn(Part) -> Vec<Event>,
        at: Option<EventId>,
        limit: usize,
        mine: impl Fn(&Happened) -> bool + Copy,
    ) -> TestCaseResult {
        prop_assert_eq!(
            seen(&history(at.map_or(Part::Latest, Part::Before))),
            self.last(limit, at, mine)
        );
        let at = at.unwrap_or(EventId(0));
        prop_assert_eq!(
            seen(&history(Part::After(at))),
            self.first(limit, at, mine),
            "after {}",
            at
        );
        // Each side gets half, and more if the other side has less.
        let sides = |event: &Happened| (mine(event) && !event.gone, event.id <= at.0);
        let count = |side| {
            self.list
                .iter()
                .filter(|event| sides(event) == (true, side))
                .count()
        };
        let newer = count(false).min(limit - count(true).min(limit.div_ceil(2)));
        let older = count(true).min(limit - newer);
        let mut around = self.last(older, Some(EventId(at.0 + 1)), mine);
        around.extend(self.first(newer, at, mine));
        prop_assert_eq!(
            seen(&history(Part::Around(at))),
            around,
            "{} around {}",
            limit,
            at
        );
        Ok(())
    }

    /// The last `limit` events of the list that still exist.
    fn last(
        &self,
        limit: usize,
        before: Option<EventId>,
        which: impl Fn(&Happened) -> bool,
    ) -> Vec<(i64, i64)> {
        let early = |event: &&Happened| before.is_none_or(|before| event.id < before.0);
        let found = self
            .list
            .iter()
            .rev()
            .filter(early)
            .filter(|event| !event.gone && which(event));
        let mut held = held(&found.take(limit).collect::<Vec<_>>());
        held.reverse();
        held
    }

    /// The first of them after an event.
    fn first(
        &self,
        limit: usize,
        after: EventId,
        which: impl Fn(&Happened) -> bool,
    ) -> Vec<(i64, i64)> {
        let found = self
            .list
            .iter()
            .filter(|event| event.id > after.0 && !event.gone && which(event));
        held(&found.take(limit).collect::<Vec<_>>())
    }
}

/// As many events as a page holds. The event that fills the page is the last one in it.
fn held(events: &[&Happened]) -> Vec<(i64, i64)> {
    let mut bytes = 0;
    let room = |event: &&&Happened| {
        let room = bytes < PAGE_BYTES;
        bytes += event.bytes;
        room
    };
    events
        .iter()
        .take_while(room)
        .map(|event| (event.id, event.time))
        .collect()
}

fn seen(events: &[Event]) -> Vec<(i64, i64)> {
    events
        .iter()
        .map(|event| (event.id.0, event.time.0))
        .collect()
}
