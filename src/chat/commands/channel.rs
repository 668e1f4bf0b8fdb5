//! Commands about channels: JOIN, PART, TOPIC, KICK, INVITE.

use crate::{
    chat::{channel_key_guesses::Held, commands::context::CommandContext, lookalikes::Lookalikes},
    error::{Code, Error, Result},
    irc::{
        command::TargetResults,
        mode::{Flag, Modes},
        reply,
    },
    model::{ChannelName, Nick, TargetId},
    session::{channels, lifecycle, op_succession},
    store::{
        ban,
        channel::{self, Channel, Topic},
        invite, log, membership, silence,
    },
};

/// JOIN of one channel, which is returned. A channel that does not exist is created, and its
/// creator becomes op. Joining a channel again changes nothing.
///
/// For a confined caller, channels outside its grant do not exist and cannot be created. It fails
/// with `no_such_channel`, `too_many_channels`, `bad_channel_name`, `channel_name_confusable`, or
/// the refusal of [`admit`].
pub fn join(
    act: &mut CommandContext,
    name: &ChannelName,
    key: Option<&str>,
    lookalikes: &Lookalikes,
    held: &Held,
) -> Result<Channel> {
    let me = act.caller.session;
    act.visibility.require(name)?;
    let found = act.visibility.find_channel(name)?;
    let on_it = match &found {
        Some(channel) => membership::get(act.tx, channel.id, me)?.is_some(),
        None => false,
    };
    if let Some(channel) = found.as_ref().filter(|_| on_it) {
        return Ok(channel.clone());
    }
    if membership::channels_of(act.tx, me)?.len() >= act.limits.max_channels {
        let detail = format!(
            "a session can be on at most {} channels; leave one first",
            act.limits.max_channels
        );
        return Err(Error::new(Code::TooManyChannels, detail).about(name));
    }
    let first = found.is_none();
    let channel = match found {
        Some(channel) => {
            admit(act, &channel, key, held)?;
            channel
        }
        None => make(act, name, lookalikes)?,
    };
    let id = channels::join(
        act.tx,
        me,
        channel.id,
        first,
        act.draft("JOIN", &[&channel.name]),
    )?;
    act.answer.ids.push(id);
    if first && channel.modes.has(Flag::History) {
        channels::open_history(act.tx, channel.id, id)?;
    }
    // A JOIN does not say that a session is away, so the members learn it from an AWAY (IRCv3
    // away-notify).
    if let Some(text) = act.session.away.clone().filter(|_| !first) {
        act.emit("AWAY", &[&text], &[channel.id.into()])?;
    }
    op_succession::consider(act.tx, channel.id, me, act.now)?;
    Ok(channel)
}

/// Creates a channel, unless its name looks like another channel's.
fn make(act: &CommandContext, name: &ChannelName, lookalikes: &Lookalikes) -> Result<Channel> {
    name.check_new()?;
    if lookalikes.has_one_of(act.tx, name)? {
        // The answer does not say which channel, because that one may be hidden.
        let detail = "this name looks too much like the name of another channel; choose a different \
                      one";
        return Err(Error::new(Code::ChannelNameConfusable, detail).about(name));
    }
    let mut modes = Modes::new();
    modes.set(Flag::History, act.limits.channel_history);
    channels::make(act.tx, name, modes, act.now)
}

/// Checks that the channel's bans and modes let this session in, and uses up its invitation.
///
/// The member limit is checked last, so that only a session that would be let in otherwise learns
/// that the channel is full.
fn admit(act: &CommandContext, channel: &Channel, key: Option<&str>, held: &Held) -> Result<()> {
    let refuse = |code, detail: &str| Err(Error::new(code, detail).about(&channel.name));
    if ban::matches(act.tx, channel.id, &act.session)? {
        return refuse(Code::BannedFromChannel, "you are banned from this channel");
    }
    if let Some(refusal) = held.refusal(&channel.name) {
        return Err(refusal);
    }
    if channel.modes.key.is_some() && channel.modes.key.as_deref() != key {
        return refuse(
            Code::BadChannelKey,
            "this channel has a key, and the key is missing or wrong",
        );
    }
    if channel.modes.has(Flag::InviteOnly)
        && !invite::is_pending(act.tx, channel.id, act.caller.session)?
    {
        return refuse(
            Code::InviteOnlyChannel,
            "this channel can be joined only by invitation",
        );
    }
    if let Some(limit) = channel.modes.limit
        && membership::count(act.tx, channel.id)? >= i64::from(limit)
    {
        return refuse(Code::ChannelIsFull, "this channel is full");
    }
    invite::remove(act.tx, channel.id, act.caller.session)
}

/// PART of one channel. It fails with `no_such_channel` or `not_on_channel`.
pub fn part(act: &mut CommandContext, name: &ChannelName, reason: Option<&str>) -> Result<()> {
    let (channel, _) = act.own_channel(name)?;
    let with_reason: [&dyn std::fmt::Display; 2] = [&channel.name, &reason.unwrap_or_default()];
    let params = if reason.is_some() {
        &with_reason[..]
    } else {
        &with_reason[..1]
    };
    let until = act.emit("PART", params, &[channel.id.into()])?;
    lifecycle::leave_channel(act.tx, act.caller.session, channel.id, until, act.now)
}

/// TOPIC with a text. An empty text removes the topic. It fails with `no_such_channel`,
/// `not_on_channel`, `chanop_needed` or `cannot_send_to_channel`.
pub fn set_topic(act: &mut CommandContext, name: &ChannelName, text: &str) -> Result<()> {
    let (channel, member) = act.own_channel(name)?;
    if channel.modes.has(Flag::TopicLocked) && !member.op {
        return Err(chanop_needed(&channel));
    }
    // A topic reaches the whole channel like a message, so a ban forbids it too.
    if !member.op && !member.voice && ban::matches(act.tx, channel.id, &act.session)? {
        return Err(Error::new(
            Code::CannotSendToChannel,
            "you are banned from this channel",
        )
        .about(&channel.name));
    }
    let topic = Topic {
        text: text.into(),
        set_by: act.nick().to_string(),
        set_at: act.now,
    };
    channel::set_topic(
        act.tx,
        channel.id,
        Some(&topic).filter(|_| !text.is_empty()),
    )?;
    act.emit("TOPIC", &[&channel.name, &text], &[channel.id.into()])
        .map(drop)
}

/// KICK of one or more members by an op. Nicks that cannot be removed are error numerics among the
/// replies. It fails with `no_such_channel`, `not_on_channel` or `chanop_needed`, or if no nick can
/// be removed with the first refusal.
pub fn kick(
    act: &mut CommandContext,
    name: &ChannelName,
    nicks: TargetResults<Nick>,
    reason: Option<&str>,
) -> Result<()> {
    let (channel, member) = act.own_channel(name)?;
    if !member.op {
        return Err(chanop_needed(&channel));
    }
    let reason = reason.map_or_else(|| act.nick().to_string(), str::to_owned);
    act.for_each_target("KICK", nicks, |act, nick| {
        let victim = act.visibility.session(&nick)?;
        // The channel ends with its last member, so it may be gone before the second nick.
        if membership::get(act.tx, channel.id, victim.id)?.is_none() {
            return Err(not_in_channel(&victim.nick, &channel));
        }
        let until = act.emit(
            "KICK",
            &[&channel.name, &victim.nick, &reason],
            &[channel.id.into()],
        )?;
        lifecycle::leave_channel(act.tx, victim.id, channel.id, until, act.now)
    })
}

/// INVITE. Inviting a session again sends no second event. It fails with `no_such_nick`,
/// `no_such_channel`, `not_on_channel`, `chanop_needed` or `user_on_channel`.
pub fn invite(act: &mut CommandContext, nick: &Nick, name: &ChannelName) -> Result<()> {
    let guest = act.visibility.session(nick)?;
    let (channel, member) = act.own_channel(name)?;
    if channel.modes.has(Flag::InviteOnly) && !member.op {
        return Err(chanop_needed(&channel));
    }
    if membership::get(act.tx, channel.id, guest.id)?.is_some() {
        let detail = format!("{} is already on {}", guest.nick, channel.name);
        return Err(Error::new(Code::UserOnChannel, detail)
            .about(&guest.nick)
            .about(&channel.name));
    }
    let silenced = silence::silences(act.tx, guest.id, &act.session)?;
    // A session that is invited already is not told again.
    if invite::add(act.tx, channel.id, guest.id, silenced, log::head(act.tx)?)? {
        let both: [TargetId; 2] = [act.caller.session.into(), guest.id.into()];
        act.emit(
            "INVITE",
            &[&guest.nick, &channel.name],
            if silenced { &both[..1] } else { &both },
        )?;
    }
    act.reply(reply::RPL_INVITING, &[&guest.nick, &channel.name]);
    if let Some(away) = &guest.away {
        act.reply(reply::RPL_AWAY, &[&guest.nick, away]);
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
