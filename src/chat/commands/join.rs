//! JOIN of one channel: who may join it, and what a new channel is like.

use crate::{
    chat::commands::context::CommandContext,
    error::{Code, Error, Result},
    irc::mode::{Flag, Modes},
    model::ChannelName,
    session::{channels, op_succession},
    store::{ban, channel::Channel, invite, membership},
};

/// The text of a refusal because of a ban.
pub const BANNED: &str = "you are banned from this channel";

/// JOIN of one channel, which is returned. A channel that does not exist is created, and its
/// creator becomes op. Joining a channel again changes nothing.
///
/// For a confined caller, channels outside its grant do not exist and cannot be created. It fails
/// with `no_such_channel`, `too_many_channels`, `bad_channel_name`, `channel_name_confusable`, or
/// the refusal of [`let_in`].
pub fn join(
    context: &mut CommandContext,
    name: &ChannelName,
    key: Option<&str>,
) -> Result<Channel> {
    let me = context.caller.session;
    context.visibility.require(name)?;
    let found = context.visibility.find_channel(name)?;
    let is_member = match &found {
        Some(channel) => membership::get(context.tx, channel.id, me)?.is_some(),
        None => false,
    };
    if let Some(channel) = found.as_ref().filter(|_| is_member) {
        return Ok(channel.clone());
    }
    if membership::channels_of(context.tx, me)?.len() >= context.limits.max_channels {
        let detail = format!(
            "a session can be on at most {} channels; leave one first",
            context.limits.max_channels
        );
        return Err(Error::new(Code::TooManyChannels, detail).about(name));
    }
    let first = found.is_none();
    let channel = match found {
        Some(channel) => {
            let_in(context, &channel, key)?;
            channel
        }
        None => create(context, name)?,
    };
    let id = channels::join(
        context.tx,
        me,
        channel.id,
        first,
        context.new_event("JOIN", &[&channel.name]),
    )?;
    context.answer.ids.push(id);
    if first && channel.modes.has(Flag::History) {
        channels::open_history(context.tx, channel.id, id)?;
    }
    // A JOIN does not say that a session is away, so the members learn it from an AWAY (IRCv3
    // away-notify).
    if let Some(text) = context.session.away.clone().filter(|_| !first) {
        context.emit("AWAY", &[&text], &[channel.id.into()])?;
    }
    op_succession::consider(context.tx, channel.id, me, context.now)?;
    Ok(channel)
}

/// Creates a channel, unless its name looks like another channel's.
fn create(context: &CommandContext, name: &ChannelName) -> Result<Channel> {
    name.check_new()?;
    if context.lookalikes.has_one_of(context.tx, name)? {
        // The answer does not say which channel, because that one may be hidden.
        let detail = "this name looks too much like the name of another channel; choose a different \
                      one";
        return Err(Error::new(Code::ChannelNameConfusable, detail).about(name));
    }
    let mut modes = Modes::new();
    modes.set(Flag::History, context.limits.channel_history);
    channels::make(context.tx, name, modes, context.now)
}

/// Checks that the channel's bans and modes let this session in, and uses up its invitation.
///
/// The member limit is checked last, so that only a session that would be let in otherwise learns
/// that the channel is full.
fn let_in(context: &CommandContext, channel: &Channel, key: Option<&str>) -> Result<()> {
    let refuse = |code, detail: &str| Err(Error::new(code, detail).about(&channel.name));
    if ban::matches(context.tx, channel.id, &context.session)? {
        return refuse(Code::BannedFromChannel, BANNED);
    }
    if let Some(refusal) = context.key_refusals.of(&channel.name) {
        return Err(refusal);
    }
    if channel.modes.key.is_some() && channel.modes.key.as_deref() != key {
        return refuse(
            Code::BadChannelKey,
            "this channel has a key, and the key is missing or wrong",
        );
    }
    if channel.modes.has(Flag::InviteOnly)
        && !invite::is_pending(context.tx, channel.id, context.caller.session)?
    {
        return refuse(
            Code::InviteOnlyChannel,
            "this channel can be joined only by invitation",
        );
    }
    if let Some(limit) = channel.modes.limit
        && membership::count(context.tx, channel.id)? >= i64::from(limit)
    {
        return refuse(Code::ChannelIsFull, "this channel is full");
    }
    invite::remove(context.tx, channel.id, context.caller.session)
}
