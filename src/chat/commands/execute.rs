//! Carrying out a command: the scope, the label, one transaction, the answer.

use crate::{
    chat::{
        channel_key_guesses::Held, commands::answer::Answer, commands::channel,
        commands::channel_excerpt, commands::context::CommandContext, commands::label::Label,
        commands::message, commands::mode, commands::nick_and_quit, commands::query,
        commands::read_marker, commands::silence, lookalikes::Lookalikes, running::Chat,
    },
    error::{Error, Result},
    irc::{Command, Message, Reply, mode::Change},
    model::{Arrival, Caller, SERVER_NAME, Timestamp},
    session::{LiveClient, Visibility, write_in_slot},
    store::{self, Priority, Read, WriteSlot, log},
};

impl Chat {
    /// Carries out one message of a client, and answers once it is on disk. Where the order among
    /// several matters, they come with their `place` in it.
    pub async fn execute(
        &self,
        live: &LiveClient,
        message: Message,
        arrival: Arrival,
        place: Option<WriteSlot>,
    ) -> Result<Answer> {
        let now = arrival.now;
        let (verb, command) = Command::parse(&message)?;
        live.caller.require(verb.scope)?;
        let label = Label::of(&message, &command);
        if let Command::Pass { new, current } = command {
            return self
                .set_password(live.caller, new, current, label, arrival)
                .await;
        }
        let acknowledged = match command {
            Command::Ack(id) => Some(id),
            _ => None,
        };
        let mut held = Held::default();
        if let Command::Join(joined) = &command {
            // With a place in the order, what comes before it may not be done yet.
            if place.is_none()
                && let Some(answer) = self
                    .rejoin(live.caller, joined, label.as_ref(), now)
                    .await?
            {
                return Ok(answer);
            }
            held = self
                .guess_channel_keys(live.caller, joined, &arrival)
                .await?;
        }
        let answer = match place {
            Some(place) if !verb.reads => {
                self.perform(place, live.caller, command, label, held, now)
                    .await?
            }
            _ if command.asks() => self.query(live.caller, command, label, now).await?,
            _ => {
                self.perform(
                    self.core.write_slot(live.caller).await?,
                    live.caller,
                    command,
                    label,
                    held,
                    now,
                )
                .await?
            }
        };
        let answer = self.complete(live.caller, answer).await?;
        if let Some(id) = acknowledged {
            live.acknowledge(id);
        }
        Ok(answer)
    }

    /// Carries out what changes something, in one transaction with the answer that its label is to
    /// give again.
    async fn perform(
        &self,
        place: WriteSlot,
        caller: Caller,
        command: Command,
        label: Option<Label>,
        held: Held,
        now: Timestamp,
    ) -> Result<Answer> {
        let (limits, lookalikes) = (self.core.limits, self.lookalikes.clone());
        let question = command.asks().then(|| (command.clone(), label.clone()));
        let performed = write_in_slot(
            place,
            caller,
            priority(&command, label.as_ref()),
            move |tx| {
                if let Some(answer) = Label::answered(label.as_ref(), tx, caller)? {
                    return Ok(answer);
                }
                let mut act = CommandContext::new(
                    tx,
                    caller,
                    label.as_ref().map(|l| l.text.as_str()),
                    now,
                    &limits,
                )?;
                carry_out(&mut act, command.clone(), &lookalikes, &held)?;
                let mut answer = std::mem::take(&mut act.answer);
                let keeps = match command {
                    // A client that has just left has no labels any more.
                    Command::Quit(_) => false,
                    _ => !command.asks() || Label::has_room_for(&answer)?,
                };
                if let Some(label) = label.as_ref().filter(|_| keeps) {
                    label.keep(tx, caller, &answer, now)?;
                }
                answer.added = tx.added();
                Ok(answer)
            },
        )
        .await;
        match (performed, question) {
            // What only asks needs no room.
            (Err(refusal), Some((question, label))) if refusal.is_want_of_room() => {
                self.query(caller, question, label, now).await
            }
            (performed, _) => performed,
        }
    }

    /// Answers what changes nothing, on a reading connection. A labelled answer is kept like any
    /// other, unless it is long or there is no room for it: asking again does no harm.
    async fn query(
        &self,
        caller: Caller,
        command: Command,
        label: Option<Label>,
        now: Timestamp,
    ) -> Result<Answer> {
        let known = label.clone();
        let (answered, answer) = self
            .core
            .read_as(caller, move |tx| {
                match Label::answered(known.as_ref(), tx, caller)? {
                    Some(answer) => Ok((true, answer)),
                    None => read_only(tx, caller, &command).map(|answer| (false, answer)),
                }
            })
            .await?;
        let keeps = !answered && Label::has_room_for(&answer)?;
        let Some(label) = label.filter(|_| keeps) else {
            return Ok(answer);
        };
        Ok(match self.keep(caller, label, answer.clone(), now).await? {
            (Some(first), _) => first,
            (None, added) => Answer { added, ..answer },
        })
    }

    /// Keeps the answer to what changes nothing, if there is room for it. The first answer, if
    /// there was one meanwhile, and how many bytes it takes.
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

/// What ends something is never refused for want of room; it can end no more than was added before.
/// With a label its answer is kept, and so it adds something, again and again: on a full disk it
/// has no more than those who come in.
fn priority(command: &Command, label: Option<&Label>) -> Priority {
    let essential = match command {
        Command::Part { .. } | Command::Kick { .. } | Command::Quit(_) | Command::Away(None) => {
            true
        }
        Command::Silence(Some((_, on))) => !on,
        // With a label the list of bans would be kept.
        Command::Mode { changes, .. } => changes.iter().all(|change| match change {
            Change::ListBans => label.is_none(),
            change => change.ends(),
        }),
        _ => false,
    };
    match label {
        _ if !essential => Priority::Ordinary,
        // A client that leaves keeps no labels.
        Some(_) if !matches!(command, Command::Quit(_)) => Priority::Entry,
        _ => Priority::Essential,
    }
}

fn carry_out(
    act: &mut CommandContext,
    command: Command,
    lookalikes: &Lookalikes,
    held: &Held,
) -> Result<()> {
    match command {
        Command::Nick(nick) => nick_and_quit::rename(act, nick),
        Command::Join(channels) => {
            let mut names = channel_excerpt::NAMES;
            act.each("JOIN", channels, |act, (name, key)| {
                let channel = channel::join(act, &name, key.as_deref(), lookalikes, held)?;
                channel_excerpt::show(act, &channel, &mut names)
            })
        }
        Command::Part { channels, reason } => act.each("PART", channels, |act, name| {
            channel::part(act, &name, reason.as_deref())
        }),
        Command::Privmsg { targets, text, to } => act.each("PRIVMSG", targets, |act, target| {
            message::send(act, "PRIVMSG", &target, &text, to)
        }),
        Command::Notice { targets, text, to } => message::notice(act, targets, &text, to),
        Command::Topic {
            channel,
            text: Some(text),
        } => channel::set_topic(act, &channel, &text),
        Command::Kick {
            channel,
            nicks,
            reason,
        } => channel::kick(act, &channel, nicks, reason.as_deref()),
        Command::Invite { nick, channel } => channel::invite(act, &nick, &channel),
        Command::Mode { channel, changes } if !changes.iter().all(Change::asks) => {
            mode::change(act, &channel, changes)
        }
        Command::Away(text) => message::away(act, text.as_deref()),
        Command::MarkRead {
            target,
            id: Some(id),
            to,
        } => read_marker::mark_read(act, &target, to, id),
        Command::Silence(Some((mask, on))) => silence::change(act, mask, on),
        Command::Quit(reason) => nick_and_quit::quit(act, reason.as_deref()),
        query => {
            act.answer = read_only(act.tx, act.caller, &query)?;
            Ok(())
        }
    }
}

/// The commands that change nothing.
fn read_only(tx: &Read, caller: Caller, command: &Command) -> Result<Answer> {
    let visibility = &Visibility::of(tx, caller)?;
    let me = store::session::get(tx, caller.session)?;
    let replies = match command {
        Command::Names(channels) => query::names(visibility, &me, channels)?,
        Command::List(channels) => query::list(visibility, &me, channels)?,
        Command::Who(mask) => query::who(visibility, &me, mask)?,
        Command::Whois(nick) => query::whois(visibility, &me, nick)?,
        Command::Topic { channel, .. } => query::topic(visibility, &me, channel)?,
        Command::Mode { channel, changes } if changes.is_empty() => {
            query::modes(visibility, &me, channel)?
        }
        Command::Mode { channel, .. } => query::own_bans(visibility, &me, channel)?,
        Command::UserMode { nick, changes } => query::user_modes(&me, nick, changes.as_deref())?,
        Command::MarkRead { target, to, .. } => read_marker::show(visibility, &me, target, *to)?,
        Command::Silence(_) => silence::show(tx, &me)?,
        Command::Ack(id) => {
            log::require_issued(tx, *id)?;
            Vec::new()
        }
        Command::Ping(token) => vec![Reply::command("PONG", &[&SERVER_NAME, token])],
        other => return Err(Error::internal(format!("{other:?} is no query"))),
    };
    Ok(Answer {
        replies,
        ..Answer::default()
    })
}
