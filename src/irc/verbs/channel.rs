//! JOIN, PART, TOPIC, KICK and INVITE: who is on a channel, and what it is about.

use crate::{
    error::Result,
    irc::{
        params::{TargetResults, channels, existing_channel, length, parse_each, reason, within},
        reply::numerics,
        verb::{ChangeInfo, Verb},
    },
    model::{ChannelName, Nick, REASON_LIMIT, Requirement, Scope},
};

numerics! {
    RPL_NOTOPIC "331"
    RPL_TOPIC "332"
    RPL_TOPICWHOTIME "333"
    RPL_INVITING "341"
}

/// The family's commands that change nothing.
#[derive(Clone, Debug)]
pub enum Query {
    /// TOPIC without a text: a channel's topic.
    Topic(ChannelName),
}

/// The family's commands that change something.
#[derive(Clone, Debug)]
pub enum Change {
    /// JOIN: channels, each with its key if one was given.
    Join(TargetResults<(ChannelName, Option<String>)>),
    /// PART: leave channels.
    Part {
        /// The channels.
        channels: TargetResults<ChannelName>,
        /// The reason, for the other members.
        reason: Option<String>,
    },
    /// TOPIC: set or clear a channel's topic.
    Topic {
        /// The channel.
        channel: ChannelName,
        /// The topic. Empty clears it.
        text: String,
    },
    /// KICK: remove sessions from a channel.
    Kick {
        /// The channel.
        channel: ChannelName,
        /// The nicks of the sessions.
        nicks: TargetResults<Nick>,
        /// The reason, which all members see.
        reason: Option<String>,
    },
    /// INVITE: invite a session to a channel.
    Invite {
        /// The session's nick.
        nick: Nick,
        /// The channel.
        channel: ChannelName,
    },
}

impl ChangeInfo for Change {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Join(channels) => (channels.len(), 0),
            Self::Part { channels, reason } => (channels.len(), length(reason)),
            Self::Topic { text, .. } => (1, text.len()),
            Self::Kick { nicks, reason, .. } => (nicks.len(), length(reason)),
            Self::Invite { .. } => (1, 0),
        }
    }

    fn targets(&self) -> usize {
        match self {
            Self::Join(channels) => channels.len(),
            Self::Part { channels, .. } => channels.len(),
            Self::Kick { nicks, .. } => nicks.len(),
            Self::Topic { .. } | Self::Invite { .. } => 1,
        }
    }

    fn only_removes(&self, _answer_is_kept: bool) -> bool {
        match self {
            Self::Part { .. } | Self::Kick { .. } => true,
            Self::Join(_) | Self::Topic { .. } | Self::Invite { .. } => false,
        }
    }
}

/// The family's rows in the table of verbs.
pub const fn verbs<C: From<Query> + From<Change>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("JOIN", Requirement::Scope(Scope::ChatWrite), join)
                .min_params(1)
                .syntax("JOIN <channel>{,<channel>} [<key>{,<key>}]")
                .help("joins channels, and creates those that do not exist"),
            Verb::new("PART", Requirement::Scope(Scope::ChatWrite), part)
                .min_params(1)
                .syntax("PART <channel>{,<channel>} [<reason>]")
                .help("leaves channels"),
            Verb::new("TOPIC", Requirement::Scope(Scope::ChatWrite), topic)
                .min_params(1)
                .syntax("TOPIC <channel> [<text>]")
                .help("shows or sets a channel's topic; an empty text removes it"),
            Verb::new("KICK", Requirement::Scope(Scope::ChatModerate), kick)
                .min_params(2)
                .syntax("KICK <channel> <nick>{,<nick>} [<reason>]")
                .help("removes users from a channel"),
            Verb::new("INVITE", Requirement::Scope(Scope::ChatModerate), invite)
                .min_params(2)
                .syntax("INVITE <nick> <channel>")
                .help("invites a user to a channel"),
        ]
    }
}

/// `JOIN <channel>{,<channel>} [<key>{,<key>}]`.
fn join<C: From<Change>>(params: &[String]) -> Result<C> {
    let mut keys = params.get(1).map_or("", String::as_str).split(',');
    let items = params[0].split(',').map(|name| {
        let key = keys.next().filter(|key| !key.is_empty()).map(str::to_owned);
        (name, key)
    });
    parse_each(
        items,
        |(name, key)| ChannelName::parse(name).map(|name| (name, key)),
        |(name, _)| name.folded(),
    )
    .map(|channels| Change::Join(channels).into())
}

/// `PART <channel>{,<channel>} [<reason>]`.
fn part<C: From<Change>>(params: &[String]) -> Result<C> {
    let part = Change::Part {
        channels: channels(&params[0])?,
        reason: reason(params.get(1))?,
    };
    Ok(part.into())
}

/// `TOPIC <channel> [<text>]`.
fn topic<C: From<Query> + From<Change>>(params: &[String]) -> Result<C> {
    let text = params
        .get(1)
        .cloned()
        .map(|text| within(text, REASON_LIMIT, "the topic"))
        .transpose()?;
    let channel = existing_channel(&params[0])?;
    Ok(match text {
        Some(text) => Change::Topic { channel, text }.into(),
        None => Query::Topic(channel).into(),
    })
}

/// `KICK <channel> <nick>{,<nick>} [<reason>]`.
fn kick<C: From<Change>>(params: &[String]) -> Result<C> {
    let nicks = parse_each(params[1].split(','), Nick::named, Nick::folded)?;
    let kick = Change::Kick {
        channel: existing_channel(&params[0])?,
        nicks,
        reason: reason(params.get(2))?,
    };
    Ok(kick.into())
}

/// `INVITE <nick> <channel>`.
fn invite<C: From<Change>>(params: &[String]) -> Result<C> {
    let invite = Change::Invite {
        nick: Nick::named(&params[0])?,
        channel: existing_channel(&params[1])?,
    };
    Ok(invite.into())
}
