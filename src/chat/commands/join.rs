//! JOIN of one channel: who may join it, and what a new channel is like.

use crate::{
    chat::commands::context::CommandContext,
    error::{Code, Error, Result},
    irc::mode::{Flag, Modes},
    model::ChannelName,
    session::{channels, op_succession},
    store::{ban, channel::Channel, invite, membership},
};

/// JOIN of one channel, which is returned. A channel that does not exist is created, and its
/// creator becomes op. Joining a channel again changes nothing.
///
/// For a confined caller, channels outside its grant do not exist and cannot be created. It fails
/// with `no_such_channel`, `too_many_channels`, `bad_channel_name`, `channel_name_confusable`, or
/// the refusal of [`admit`].
pub fn join(act: &mut CommandContext, name: &ChannelName, key: Option<&str>) -> Result<Channel> {
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
            admit(act, &channel, key)?;
            channel
        }
        None => create(act, name)?,
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
fn create(act: &CommandContext, name: &ChannelName) -> Result<Channel> {
    name.check_new()?;
    if act.lookalikes.has_one_of(act.tx, name)? {
        // The answer does not say which channel, because that one may be hidden.
        let detail = "this name looks like the name of another channel";
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
fn admit(act: &CommandContext, channel: &Channel, key: Option<&str>) -> Result<()> {
    let refuse = |code, detail: &str| Err(Error::new(code, detail).about(&channel.name));
    if ban::matches(act.tx, channel.id, &act.session)? {
        return refuse(Code::BannedFromChannel, "you are banned from this channel");
    }
    if let Some(refusal) = act.key_refusals.of(&channel.name) {
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
