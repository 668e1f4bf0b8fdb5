//! What is done to channels and on them: JOIN, PART, TOPIC, KICK, INVITE.

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

/// JOIN of one channel, which is returned; one that does not exist is made, and its maker is op.
/// Joining again changes nothing. Outside what a caller is confined to there are no channels, and
/// none are made.
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
            "a session is on at most {} channels",
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
    // Those on it learn that somebody is away only by an AWAY (IRCv3 away-notify); a JOIN does not
    // say it.
    if let Some(text) = act.session.away.clone().filter(|_| !first) {
        act.emit("AWAY", &[&text], &[channel.id.into()])?;
    }
    op_succession::consider(act.tx, channel.id, me, act.now)?;
    Ok(channel)
}

/// Makes a channel, unless its name can be taken for another channel's.
fn make(act: &CommandContext, name: &ChannelName, lookalikes: &Lookalikes) -> Result<Channel> {
    name.check_new()?;
    if lookalikes.has_one_of(act.tx, name)? {
        // Not which one: that may be a channel that is not shown to everybody.
        let detail = "this name looks like the name of another channel";
        return Err(Error::new(Code::ChannelNameConfusable, detail).about(name));
    }
    let mut modes = Modes::new();
    modes.set(Flag::History, act.limits.channel_history);
    channels::make(act.tx, name, modes, act.now)
}

/// Whether the channel's modes and bans let this session in. An invitation is used up by it.
///
/// How full a channel is, is the last thing looked at: only a session that it would let in
/// otherwise learns of it.
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
            "this channel wants a key, and this is not it",
        );
    }
    if channel.modes.has(Flag::InviteOnly)
        && !invite::is_pending(act.tx, channel.id, act.caller.session)?
    {
        return refuse(Code::InviteOnlyChannel, "this channel is by invitation");
    }
    if let Some(limit) = channel.modes.limit
        && membership::count(act.tx, channel.id)? >= i64::from(limit)
    {
        return refuse(Code::ChannelIsFull, "this channel is full");
    }
    invite::remove(act.tx, channel.id, act.caller.session)
}

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

pub fn set_topic(act: &mut CommandContext, name: &ChannelName, text: &str) -> Result<()> {
    let (channel, member) = act.own_channel(name)?;
    if channel.modes.has(Flag::TopicLocked) && !member.op {
        return Err(chanop_needed(&channel));
    }
    // A topic is said to the whole channel.
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
        // A channel ends with its last member: a second nick may find it gone.
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

pub fn invite(act: &mut CommandContext, nick: &Nick, name: &ChannelName) -> Result<()> {
    let guest = act.visibility.session(nick)?;
    let (channel, member) = act.own_channel(name)?;
    if channel.modes.has(Flag::InviteOnly) && !member.op {
        return Err(chanop_needed(&channel));
    }
    if membership::get(act.tx, channel.id, guest.id)?.is_some() {
        let detail = format!("{} is on {} already", guest.nick, channel.name);
        return Err(Error::new(Code::UserOnChannel, detail)
            .about(&guest.nick)
            .about(&channel.name));
    }
    let silenced = silence::silences(act.tx, guest.id, &act.session)?;
    // Who is invited already is not told again.
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

pub fn chanop_needed(channel: &Channel) -> Error {
    Error::new(Code::ChanopNeeded, "you are not a channel operator").about(&channel.name)
}

pub fn not_in_channel(nick: &Nick, channel: &Channel) -> Error {
    Error::new(
        Code::UserNotInChannel,
        format!("{nick} is not on {}", channel.name),
    )
    .about(nick)
    .about(&channel.name)
}
