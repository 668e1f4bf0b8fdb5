//! NAMES, LIST, WHO and WHOIS: looking up channels and sessions.

use crate::{
    error::{Error, Result},
    irc::{
        params::{TargetResults, channels, within},
        reply::numerics,
        verb::Verb,
    },
    model::{ChannelName, Invalid, Nick, Requirement, Scope, Target},
};

numerics! {
    RPL_WHOISUSER "311"
    RPL_WHOISSERVER "312"
    RPL_ENDOFWHO "315"
    RPL_ENDOFWHOIS "318"
    RPL_WHOISCHANNELS "319"
    RPL_LISTSTART "321"
    RPL_LIST "322"
    RPL_LISTEND "323"
    RPL_WHOREPLY "352"
    RPL_NAMREPLY "353"
    RPL_ENDOFNAMES "366"
}

/// The family's commands. None of them changes anything.
#[derive(Clone, Debug)]
pub enum Query {
    /// NAMES: the members of channels. No channels means all of the caller's own.
    Names(TargetResults<ChannelName>),
    /// LIST: channels with their topics and numbers of members. No channels means every channel.
    List(TargetResults<ChannelName>),
    /// WHO: the members of a channel, or the sessions whose nick matches a mask.
    Who(String),
    /// WHOIS: one session.
    Whois(Nick),
}

impl Query {
    /// How many targets the query names. The server does its work once for each.
    pub fn targets(&self) -> usize {
        match self {
            Self::Names(channels) | Self::List(channels) => channels.len(),
            Self::Who(_) | Self::Whois(_) => 1,
        }
    }
}

/// The family's rows in the table of verbs.
pub const fn verbs<C: From<Query>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("NAMES", Requirement::Scope(Scope::ChatRead), names)
                .syntax("NAMES [<channel>{,<channel>}]")
                .help("lists the members of channels"),
            Verb::new("LIST", Requirement::Scope(Scope::ChatRead), list)
                .syntax("LIST [<channel>{,<channel>}]")
                .help("lists channels with their numbers of members and their topics"),
            Verb::new("WHO", Requirement::Scope(Scope::ChatRead), who)
                .min_params(1)
                .syntax("WHO <channel or mask>")
                .help("lists the members of a channel, or the users whose nicks match a mask"),
            Verb::new("WHOIS", Requirement::Scope(Scope::ChatRead), whois)
                .syntax("WHOIS <nick>")
                .help("shows what is known about a user"),
        ]
    }
}

/// `NAMES [<channel>{,<channel>}]`.
fn names<C: From<Query>>(params: &[String]) -> Result<C> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::Names(channels).into())
}

/// `LIST [<channel>{,<channel>}]`.
fn list<C: From<Query>>(params: &[String]) -> Result<C> {
    params
        .first()
        .map_or(Ok(Vec::new()), |names| channels(names))
        .map(|channels| Query::List(channels).into())
}

/// `WHO <channel or mask>`, at most 64 bytes.
fn who<C: From<Query>>(params: &[String]) -> Result<C> {
    within(params[0].clone(), 64, "the mask").map(|mask| Query::Who(mask).into())
}

/// `WHOIS [<server>] <nick>`. There is only one server, so the last parameter is the nick.
fn whois<C: From<Query>>(params: &[String]) -> Result<C> {
    let nick = params.last().map_or("", String::as_str);
    match Target::parse(nick) {
        Ok(Target::Nick(nick)) => Ok(Query::Whois(nick).into()),
        _ if nick.is_empty() => Err(Invalid::NoNick.into()),
        Ok(Target::Channel(name)) => Err(Error::no_such_nick(name.as_str())),
        Err(invalid) => Err(invalid.into()),
    }
}
