//! Commands about channels: JOIN, PART, TOPIC, KICK, INVITE.

use crate::{
    chat::commands::{
        channel_excerpt,
        context::CommandContext,
        join::{BANNED, join},
        replies::{ANSWER_BYTES, SHORT_BYTES, TEXT_BYTES},
    },
    error::{Code, Error, Result},
    irc::{
        Reply,
        mode::{Flag, Shown},
        params::{MAX_TARGETS, TargetResults},
        verbs::{
            channel::{Change, Query, RPL_INVITING, RPL_NOTOPIC},
            nick_and_away::RPL_AWAY,
        },
    },
    model::{ChannelName, Nick, TargetId},
    session::{Visibility, lifecycle},
    store::{
        ban,
        channel::{self, Channel, Topic},
        invite, log, membership,
        session::Session,
        silence,
    },
};

/// Carries out a change.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Join(channels) => {
            let mut names = channel_excerpt::MAX_NAMES;
            context.for_each_target("JOIN", channels, |context, (name, key)| {
                let channel = join(context, &name, key.as_deref())?;
                channel_excerpt::show(context, &channel, &mut names)
            })
        }
        Change::Part { channels, reason } => {
            context.for_each_target("PART", channels, |context, name| {
                part(context, &name, reason.as_deref())
            })
        }
        Change::Topic { channel, text } => set_topic(context, &channel, &text),
        Change::Kick {
            channel,
            nicks,
            reason,
        } => kick(context, &channel, nicks, reason.as_deref()),
        Change::Invite { nick, channel } => invite(context, &nick, &channel),
    }
}

/// The most bytes of the answer to a change.
pub fn longest_answer(change: &Change) -> usize {
    match change {
        Change::Join(_) => ANSWER_BYTES,
        Change::Part { .. } | Change::Kick { .. } => MAX_TARGETS * SHORT_BYTES,
        Change::Topic { .. } | Change::Invite { .. } => TEXT_BYTES,
    }
}

/// Answers a query.
pub fn query(visibility: &Visibility, me: &Session, query: &Query) -> Result<Vec<Reply>> {
    match query {
        Query::Topic(channel) => topic(visibility, me, channel),
    }
}

/// The most bytes of the answer to a query.
pub fn longest_query_answer(query: &Query) -> usize {
    match query {
        Query::Topic(_) => TEXT_BYTES,
    }
}

/// PART of one channel. It fails with `no_such_channel` or `not_on_channel`.
fn part(context: &mut CommandContext, name: &ChannelName, reason: Option<&str>) -> Result<()> {
    let (channel, _) = context.own_channel(name)?;
    let with_reason: [&dyn std::fmt::Display; 2] = [&channel.name, &reason.unwrap_or_default()];
    let params = if reason.is_some() {
        &with_reason[..]
    } else {
        &with_reason[..1]
    };
    let until = context.emit("PART", params, &[channel.id.into()])?;
    lifecycle::leave_channel(
        context.tx,
        context.caller.session,
        channel.id,
        until,
        context.now,
    )
}

/// TOPIC without a text: 332 and 333, or 331. It fails with `no_such_channel` or `not_on_channel`.
fn topic(visibility: &Visibility, me: &Session, name: &ChannelName) -> Result<Vec<Reply>> {
    let channel = visibility.channel(name)?;
    if visibility.shown(&channel, me.id)? != Shown::Everything {
        return Err(Error::not_on_channel(&channel.name));
    }
    Ok(match &channel.topic {
        Some(topic) => channel_excerpt::topic_replies(me, &channel.name, topic).into(),
        None => vec![Reply::numeric(
            RPL_NOTOPIC,
            &me.nick,
            &[&channel.name, &"No topic is set"],
        )],
    })
}

/// TOPIC with a text. An empty text removes the topic. It fails with `no_such_channel`,
/// `not_on_channel`, `chanop_needed` or `cannot_send_to_channel`.
fn set_topic(context: &mut CommandContext, name: &ChannelName, text: &str) -> Result<()> {
    let (channel, member) = context.own_channel(name)?;
    if channel.modes.has(Flag::TopicLocked) && !member.op {
        return Err(chanop_needed(&channel));
    }
    // A topic reaches the whole channel like a message, so a ban forbids it too.
    if !member.op && !member.voice && ban::matches(context.tx, channel.id, &context.session)? {
        return Err(Error::new(Code::CannotSendToChannel, BANNED).about(&channel.name));
    }
    let topic = Topic {
        text: text.into(),
        set_by: context.nick().to_string(),
        set_at: context.now,
    };
    channel::set_topic(
        context.tx,
        channel.id,
        Some(&topic).filter(|_| !text.is_empty()),
    )?;
    context
        .emit("TOPIC", &[&channel.name, &text], &[channel.id.into()])
        .map(drop)
}

/// KICK of one or more members by an op. Nicks that cannot be removed are error numerics among the
/// replies. It fails with `no_such_channel`, `not_on_channel` or `chanop_needed`, or if no nick can
/// be removed with the first refusal.
fn kick(
    context: &mut CommandContext,
    name: &ChannelName,
    nicks: TargetResults<Nick>,
    reason: Option<&str>,
) -> Result<()> {
    let (channel, member) = context.own_channel(name)?;
    if !member.op {
        return Err(chanop_needed(&channel));
    }
    let reason = reason.map_or_else(|| context.nick().to_string(), str::to_owned);
    context.for_each_target("KICK", nicks, |context, nick| {
        let victim = context.visibility.session(&nick)?;
        // The channel ends with its last member, so it may be gone before the second nick.
        if membership::get(context.tx, channel.id, victim.id)?.is_none() {
            return Err(not_in_channel(&victim.nick, &channel));
        }
        let until = context.emit(
            "KICK",
            &[&channel.name, &victim.nick, &reason],
            &[channel.id.into()],
        )?;
        lifecycle::leave_channel(context.tx, victim.id, channel.id, until, context.now)
    })
}

/// INVITE. Inviting a session again sends no second event. It fails with `no_such_nick`,
/// `no_such_channel`, `not_on_channel`, `chanop_needed` or `user_on_channel`.
fn invite(context: &mut CommandContext, nick: &Nick, name: &ChannelName) -> Result<()> {
    let guest = context.visibility.session(nick)?;
    let (channel, member) = context.own_channel(name)?;
    if channel.modes.has(Flag::InviteOnly) && !member.op {
        return Err(chanop_needed(&channel));
    }
    if membership::get(context.tx, channel.id, guest.id)?.is_some() {
        let detail = format!("{} is already on {}", guest.nick, channel.name);
        return Err(Error::new(Code::UserOnChannel, detail)
            .about(&guest.nick)
            .about(&channel.name));
    }
    let silenced = silence::silences(context.tx, guest.id, &context.session)?;
    // A session that is invited already is not told again.
    if invite::add(
        context.tx,
        channel.id,
        guest.id,
        silenced,
        log::head(context.tx)?,
    )? {
        let both: [TargetId; 2] = [context.caller.session.into(), guest.id.into()];
        context.emit(
            "INVITE",
            &[&guest.nick, &channel.name],
            if silenced { &both[..1] } else { &both },
        )?;
    }
    context.reply(RPL_INVITING, &[&guest.nick, &channel.name]);
    if let Some(away) = &guest.away {
        context.reply(RPL_AWAY, &[&guest.nick, away]);
    }
    Ok(())
}

/// The `chanop_needed` error.
pub fn chanop_needed(channel: &Channel) -> Error {
    Error::new(Code::ChanopNeeded, "you are not a channel operator").about(&channel.name)
}

/// The `user_not_in_channel` error.
pub fn not_in_channel(nick: &Nick, channel: &Channel) -> Error {
    Error::new(
        Code::UserNotInChannel,
        format!("{nick} is not on {}", channel.name),
    )
    .about(nick)
    .about(&channel.name)
}
