//! Executing a command: the scope, the label, one transaction, the answer.

use crate::{
    chat::{
        channel_key_guesses::Held,
        commands::{
            answer::Answer, channel, channel_excerpt, context::CommandContext, label::Label,
            message, mode, nick_and_quit, query, read_marker, silence,
        },
        lookalikes::Lookalikes,
        running::Chat,
    },
    error::Result,
    irc::{Change, Command, Query, Reply, Request, mode::ModeChange},
    model::{Arrival, Caller, SERVER_NAME, Timestamp},
    session::{LiveClient, Visibility, write_in_slot},
    store::{self, Priority, Read, WriteSlot, log},
};

impl Chat {
    /// Executes one request of a client, and answers when it is on disk. If the order of several
    /// requests matters, each comes with its `slot` in that order.
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
        let (caller, now) = (live.caller, arrival.now);
        caller.require(request.verb.requires)?;
        let label = Label::of(&request);
        match request.command {
            Command::Pass { new, current } => {
                self.set_password(caller, new, current, label, arrival)
                    .await
            }
            Command::Query(query) => {
                let acknowledged = match query {
                    Query::Ack(id) => Some(id),
                    _ => None,
                };
                let answer = match slot {
                    // The answer must show what the requests before it have changed.
                    Some(slot) if !request.verb.reads => {
                        self.query_in_order(slot, caller, query, label, now).await?
                    }
                    _ => self.query(caller, query, label, now).await?,
                };
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
        let now = arrival.now;
        let mut held = Held::default();
        if let Change::Join(joined) = &change {
            // With a slot, earlier requests may not be done yet.
            if slot.is_none()
                && let Some(answer) = self.rejoin(caller, joined, label.as_ref(), now).await?
            {
                return Ok(answer);
            }
            held = self.guess_channel_keys(caller, joined, &arrival).await?;
        }
        let slot = match slot {
            Some(slot) => slot,
            None => self.core.write_slot(caller).await?,
        };
        let answer = self.perform(slot, caller, change, label, held, now).await?;
        self.complete(caller, answer).await
    }

    /// Carries out a change. Its label's answer is stored in the same transaction.
    async fn perform(
        &self,
        slot: WriteSlot,
        caller: Caller,
        change: Change,
        label: Option<Label>,
        held: Held,
        now: Timestamp,
    ) -> Result<Answer> {
        let (limits, lookalikes) = (self.core.limits, self.lookalikes.clone());
        let priority = priority(&change, label.as_ref());
        let performed = write_in_slot(slot, caller, priority, move |tx| {
            if let Some(answer) = Label::answered(label.as_ref(), tx, caller)? {
                return Ok(answer);
            }
            let text = label.as_ref().map(|label| label.text.as_str());
            let mut context = CommandContext::new(tx, caller, text, now, &limits)?;
            carry_out(&mut context, change.clone(), &lookalikes, &held)?;
            let mut answer = std::mem::take(&mut context.answer);
            // A client that has just left keeps no labels.
            let keeps = !matches!(change, Change::Quit(_));
            if let Some(label) = label.as_ref().filter(|_| keeps) {
                label.keep(tx, caller, &answer, now)?;
            }
            answer.added = tx.added();
            Ok(answer)
        });
        performed.await
    }

    /// Answers a query in its slot among the changes.
    async fn query_in_order(
        &self,
        slot: WriteSlot,
        caller: Caller,
        query: Query,
        label: Option<Label>,
        now: Timestamp,
    ) -> Result<Answer> {
        let again = (query.clone(), label.clone());
        let answered = write_in_slot(slot, caller, Priority::Ordinary, move |tx| {
            if let Some(answer) = Label::answered(label.as_ref(), tx, caller)? {
                return Ok(answer);
            }
            let mut answer = read(tx, caller, &query)?;
            if let Some(label) = &label
                && Label::has_room_for(&answer)?
            {
                label.keep(tx, caller, &answer, now)?;
            }
            answer.added = tx.added();
            Ok(answer)
        });
        match answered.await {
            // A query needs no disk space.
            Err(refusal) if refusal.is_want_of_room() => {
                let (query, label) = again;
                self.query(caller, query, label, now).await
            }
            answered => answered,
        }
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
        let look = self.core.read_as(caller, move |tx| {
            match Label::answered(known.as_ref(), tx, caller)? {
                Some(answer) => Ok((true, answer)),
                None => read(tx, caller, &query).map(|answer| (false, answer)),
            }
        });
        let (answered, answer) = look.await?;
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
    let essential = match change {
        Change::Part { .. } | Change::Kick { .. } | Change::Quit(_) | Change::Away(None) => true,
        Change::Silence(_, on) => !on,
        // With a label, the list of bans would be stored.
        Change::Modes { changes, .. } => changes.iter().all(|change| match change {
            ModeChange::ListBans => label.is_none(),
            change => change.ends(),
        }),
        _ => false,
    };
    match label {
        _ if !essential => Priority::Ordinary,
        // A client that leaves keeps no labels.
        Some(_) if !matches!(change, Change::Quit(_)) => Priority::Entry,
        _ => Priority::Essential,
    }
}

fn carry_out(
    context: &mut CommandContext,
    change: Change,
    lookalikes: &Lookalikes,
    held: &Held,
) -> Result<()> {
    match change {
        Change::Nick(nick) => nick_and_quit::rename(context, nick),
        Change::Join(channels) => {
            let mut names = channel_excerpt::NAMES;
            context.for_each_target("JOIN", channels, |context, (name, key)| {
                let channel = channel::join(context, &name, key.as_deref(), lookalikes, held)?;
                channel_excerpt::show(context, &channel, &mut names)
            })
        }
        Change::Part { channels, reason } => {
            context.for_each_target("PART", channels, |context, name| {
                channel::part(context, &name, reason.as_deref())
            })
        }
        Change::Privmsg { targets, text, to } => {
            context.for_each_target("PRIVMSG", targets, |context, target| {
                message::send(context, "PRIVMSG", &target, &text, to)
            })
        }
        Change::Notice { targets, text, to } => message::notice(context, targets, &text, to),
        Change::Topic { channel, text } => channel::set_topic(context, &channel, &text),
        Change::Kick {
            channel,
            nicks,
            reason,
        } => channel::kick(context, &channel, nicks, reason.as_deref()),
        Change::Invite { nick, channel } => channel::invite(context, &nick, &channel),
        Change::Modes { channel, changes } => mode::change(context, &channel, changes),
        Change::Away(text) => message::away(context, text.as_deref()),
        Change::MarkRead { target, id, to } => read_marker::mark_read(context, &target, to, id),
        Change::Silence(mask, on) => silence::change(context, mask, on),
        Change::Quit(reason) => nick_and_quit::quit(context, reason.as_deref()),
    }
}

fn read(tx: &Read, caller: Caller, query: &Query) -> Result<Answer> {
    let visibility = &Visibility::of(tx, caller)?;
    let me = &store::session::get(tx, caller.session)?;
    let replies = match query {
        Query::Names(channels) => query::names(visibility, me, channels)?,
        Query::List(channels) => query::list(visibility, me, channels)?,
        Query::Who(mask) => query::who(visibility, me, mask)?,
        Query::Whois(nick) => query::whois(visibility, me, nick)?,
        Query::Topic(channel) => query::topic(visibility, me, channel)?,
        Query::Modes(channel) => query::modes(visibility, me, channel)?,
        Query::Bans(channel) => query::own_bans(visibility, me, channel)?,
        Query::UserModes { nick, changes } => query::user_modes(me, nick, changes.as_deref())?,
        Query::ReadMarker { target, to } => read_marker::show(visibility, me, target, *to)?,
        Query::Silences => silence::show(tx, me)?,
        Query::Ack(id) => {
            log::require_issued(tx, *id)?;
            Vec::new()
        }
        Query::Ping(token) => vec![Reply::command("PONG", &[&SERVER_NAME, token])],
    };
    Ok(Answer {
        replies,
        ..Answer::default()
    })
}
