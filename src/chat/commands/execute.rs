//! Executing a command: the scope, the label, one transaction, the answer.

use crate::{
    chat::{
        channel_key_guesses::KeyRefusals,
        commands::{answer::Answer, context::CommandContext, families, label::Label},
        running::Chat,
    },
    error::Result,
    irc::{
        Change, Command, Query, Request,
        verbs::{channel, client},
    },
    model::{Arrival, Caller, Timestamp},
    session::{LiveClient, write_in_slot},
    store::{self, Priority, Read, WriteSlot},
};

impl Chat {
    /// Executes one request of a client, and answers when it is on disk. If the order of several
    /// changes matters, each comes with its `slot` in that order. A query has no use for a slot: it
    /// shows what was on disk when it began.
    ///
    /// It fails with `insufficient_scope`, with `client_ended`, with `label_reused`, or with the
    /// command's own refusal.
    pub async fn execute(
        &self,
        live: &LiveClient,
        request: Request,
        arrival: Arrival,
        slot: Option<WriteSlot>,
    ) -> Result<Answer> {
        let (caller, now) = (live.caller, arrival.at.now);
        caller.require(request.verb.requires)?;
        let label = Label::of(&request);
        match request.command {
            Command::Pass(pass) => self.set_password(caller, pass, label, arrival).await,
            Command::Query(query) => {
                let acknowledged = match query {
                    Query::Client(client::Query::Ack(id)) => Some(id),
                    _ => None,
                };
                let answer = self.query(caller, query, label, now).await?;
                if let Some(id) = acknowledged {
                    live.acknowledge(id);
                }
                Ok(answer)
            }
            Command::Change(change) => self.change(caller, change, label, arrival, slot).await,
        }
    }

    async fn change(
        &self,
        caller: Caller,
        change: Change,
        label: Option<Label>,
        arrival: Arrival,
        slot: Option<WriteSlot>,
    ) -> Result<Answer> {
        let now = arrival.at.now;
        let mut key_refusals = KeyRefusals::default();
        if let Change::Channel(channel::Change::Join(joined)) = &change {
            // With a slot, earlier requests may not be done yet.
            if slot.is_none()
                && let Some(answer) = self.rejoin(caller, joined, label.as_ref(), now).await?
            {
                return Ok(answer);
            }
            key_refusals = self.guess_channel_keys(caller, joined, &arrival).await?;
        }
        let slot = match slot {
            Some(slot) => slot,
            None => self.core.write_slot(caller).await?,
        };
        let answer = self
            .perform(slot, caller, change, label, key_refusals, now)
            .await?;
        self.complete(caller, answer).await
    }

    /// Carries out a change. Its label's answer is stored in the same transaction.
    async fn perform(
        &self,
        slot: WriteSlot,
        caller: Caller,
        change: Change,
        label: Option<Label>,
        key_refusals: KeyRefusals,
        now: Timestamp,
    ) -> Result<Answer> {
        let (limits, lookalikes) = (self.core.limits, self.lookalikes.clone());
        let priority = priority(&change, label.as_ref());
        let performed = write_in_slot(slot, caller, priority, move |tx| {
            if let Some(answer) = Label::answered(label.as_ref(), tx, caller)? {
                return Ok(answer);
            }
            let text = label.as_ref().map(|label| label.text.as_str());
            let mut context =
                CommandContext::new(tx, caller, text, now, &limits, &lookalikes, &key_refusals)?;
            families::change(&mut context, change.clone())?;
            let mut answer = std::mem::take(&mut context.answer);
            // A client that has just left keeps no labels.
            let keeps = !change.is_quit();
            if let Some(label) = label.as_ref().filter(|_| keeps) {
                label.keep(tx, caller, &answer, now)?;
            }
            answer.added = tx.added();
            Ok(answer)
        });
        performed.await
    }

    /// Answers a query on a read-only connection. The answer to a label is stored unless it is long
    /// or the disk is full: asking again does no harm.
    async fn query(
        &self,
        caller: Caller,
        query: Query,
        label: Option<Label>,
        now: Timestamp,
    ) -> Result<Answer> {
        let known = label.clone();
        let read = self.core.read_as(caller, move |tx| {
            match Label::answered(known.as_ref(), tx, caller)? {
                Some(answer) => Ok((true, answer)),
                None => answer(tx, caller, &query).map(|answer| (false, answer)),
            }
        });
        let (answered, answer) = read.await?;
        let keeps = !answered && Label::has_room_for(&answer)?;
        let Some(label) = label.filter(|_| keeps) else {
            return Ok(answer);
        };
        Ok(match self.keep(caller, label, answer.clone(), now).await? {
            (Some(first), _) => first,
            (None, added) => Answer { added, ..answer },
        })
    }

    /// Stores the answer to a request that changes nothing, if there is disk space. Returns the
    /// first answer, if another request stored one meanwhile, and the number of bytes stored.
    pub(super) async fn keep(
        &self,
        caller: Caller,
        label: Label,
        answer: Answer,
        now: Timestamp,
    ) -> Result<(Option<Answer>, u64)> {
        let keep = move |tx: &store::Write| match Label::answered(Some(&label), tx, caller)? {
            Some(first) => Ok((Some(first), 0)),
            None => {
                label.keep(tx, caller, &answer, now)?;
                Ok((None, tx.added()))
            }
        };
        match self.core.write_as(caller, Priority::Ordinary, keep).await {
            Err(refusal) if refusal.is_want_of_room() => Ok((None, 0)),
            kept => kept,
        }
    }
}

/// What may refuse a change when the disk is full.
///
/// A change that ends something is never refused, because it can end no more than was added before.
/// With a label, however, its answer is stored and so it does add data each time. Then it may use
/// no more of the reserve than a login.
fn priority(change: &Change, label: Option<&Label>) -> Priority {
    match label {
        _ if !change.info().only_removes(label.is_some()) => Priority::Ordinary,
        // A client that leaves keeps no labels.
        Some(_) if !change.is_quit() => Priority::Entry,
        _ => Priority::Essential,
    }
}

fn answer(tx: &Read, caller: Caller, query: &Query) -> Result<Answer> {
    Ok(Answer {
        replies: families::query(tx, caller, query)?,
        ..Answer::default()
    })
}
