//! PRIVMSG, NOTICE, SILENCE and MARKREAD: sending messages, refusing them, and having read them.

use crate::{
    error::{Code, Error, Result},
    irc::{
        mask::Mask,
        params::{TargetResults, event_id, parse_each, within},
        reply::numerics,
        verb::{ChangeInfo, Verb},
    },
    model::{EventId, LINES_LIMIT, Requirement, Scope, SessionId, TEXT_LIMIT, Target, text},
};

numerics! {
    RPL_SILELIST "271"
    RPL_ENDOFSILELIST "272"
}

/// The character that a CTCP message begins with.
const CTCP: char = '\u{1}';

/// The family's commands that change nothing.
#[derive(Clone, Debug)]
pub enum Query {
    /// SILENCE without a mask: the session's silence list.
    Silences,
    /// MARKREAD without an id: the session's read marker for a target.
    ReadMarker {
        /// The channel or nick.
        target: Target,
        /// The session that is named by its id. `None`: the session that has the nick now.
        to: Option<SessionId>,
    },
}

/// The family's commands that change something.
#[derive(Clone, Debug)]
pub enum Change {
    /// PRIVMSG: send a message.
    Privmsg {
        /// The channels and nicks.
        targets: TargetResults<Target>,
        /// The text.
        text: String,
        /// The session that is named by its id. `None`: the session that has the nick now.
        to: Option<SessionId>,
    },
    /// NOTICE: send a message that is never answered, not even with an error.
    Notice {
        /// The channels and nicks.
        targets: TargetResults<Target>,
        /// The text.
        text: String,
        /// The session that is named by its id. `None`: the session that has the nick now.
        to: Option<SessionId>,
    },
    /// SILENCE: a mask, and whether it is added (true) or removed.
    Silence(Mask, bool),
    /// MARKREAD: move the session's read marker forward.
    MarkRead {
        /// The channel or nick.
        target: Target,
        /// The event up to which the target is read.
        id: EventId,
        /// The session that is named by its id. `None`: the session that has the nick now.
        to: Option<SessionId>,
    },
}

impl Query {
    /// Addresses the query to the session `to`, whichever session has the nick now. Returns false
    /// if it is not about one nick.
    #[must_use]
    pub fn address_to(&mut self, session: SessionId) -> bool {
        match self {
            Self::ReadMarker {
                target: Target::Nick(_),
                to,
            } => {
                *to = Some(session);
                true
            }
            Self::ReadMarker { .. } | Self::Silences => false,
        }
    }
}

impl Change {
    /// Addresses the change to the session `to`, whichever session has the nick now. Returns false
    /// if it is not about one nick.
    #[must_use]
    pub fn address_to(&mut self, session: SessionId) -> bool {
        let one_nick = |targets: &TargetResults<Target>| {
            matches!(targets.as_slice(), [Ok(Target::Nick(_)) | Err(_)] | [])
        };
        let (is_one_nick, to) = match self {
            Self::Privmsg { targets, to, .. } | Self::Notice { targets, to, .. } => {
                (one_nick(targets), to)
            }
            Self::MarkRead { target, to, .. } => (matches!(target, Target::Nick(_)), to),
            Self::Silence(..) => return false,
        };
        if is_one_nick {
            *to = Some(session);
        }
        is_one_nick
    }
}

impl ChangeInfo for Change {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Privmsg { targets, text, .. } | Self::Notice { targets, text, .. } => {
                (targets.len(), text.len())
            }
            Self::MarkRead { .. } => (1, 0),
            Self::Silence(..) => (0, 0),
        }
    }

    fn targets(&self) -> usize {
        match self {
            Self::Privmsg { targets, .. } | Self::Notice { targets, .. } => targets.len(),
            Self::MarkRead { .. } | Self::Silence(..) => 1,
        }
    }

    fn only_removes(&self, _answer_is_kept: bool) -> bool {
        match self {
            Self::Silence(_, on) => !on,
            Self::Privmsg { .. } | Self::Notice { .. } | Self::MarkRead { .. } => false,
        }
    }
}

/// The family's rows in the table of verbs.
pub const fn verbs<C: From<Query> + From<Change>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("PRIVMSG", Requirement::Scope(Scope::ChatWrite), privmsg)
                .syntax("PRIVMSG <target>{,<target>} <text>")
                .help("sends a message to channels and users"),
            Verb::new("NOTICE", Requirement::Scope(Scope::ChatWrite), notice)
                .syntax("NOTICE <target>{,<target>} <text>")
                .help("sends a message that needs no answer; failures are not reported"),
            Verb::new("SILENCE", Requirement::Scope(Scope::SessionManage), silence)
                .syntax("SILENCE [+<mask>|-<mask>]")
                .help("blocks direct messages and invitations from senders that match a mask"),
            Verb::new("MARKREAD", Requirement::Scope(Scope::ChatWrite), mark_read)
                .min_params(1)
                .syntax("MARKREAD <target> [<id>]")
                .help("moves the session's read marker forward, or shows it"),
        ]
    }
}

/// The error for a command that cannot be addressed to a session.
pub fn not_addressable() -> Error {
    Error::malformed("`to` is allowed only in a PRIVMSG, NOTICE or MARKREAD to one nick")
}

/// `PRIVMSG <target>{,<target>} <text>`.
fn privmsg<C: From<Change>>(params: &[String]) -> Result<C> {
    let recipients = params.first().map_or("", String::as_str);
    if recipients.is_empty() {
        return Err(Error::new(
            Code::NoRecipient,
            "no recipient given (PRIVMSG)",
        ));
    }
    let text = message_text(params)?;
    let message = Change::Privmsg {
        targets: targets(recipients)?,
        text,
        to: None,
    };
    Ok(message.into())
}

/// `NOTICE <target>{,<target>} <text>`. A NOTICE is never answered (RFC 1459 §4.4.2), so a NOTICE
/// without a target or with a refused text is dropped.
fn notice<C: From<Change>>(params: &[String]) -> Result<C> {
    let (targets, text) = match (params, message_text(params)) {
        ([recipients, ..], Ok(text)) => (targets(recipients).unwrap_or_default(), text),
        _ => (Vec::new(), String::new()),
    };
    let to = None;
    Ok(Change::Notice { targets, text, to }.into())
}

fn targets(names: &str) -> Result<TargetResults<Target>> {
    parse_each(names.split(','), Target::parse, Target::folded)
}

/// The text of a PRIVMSG or NOTICE. It must be visible, and within the limits of bytes and lines.
fn message_text(params: &[String]) -> Result<String> {
    let text = params.get(1).cloned().unwrap_or_default();
    // A CTCP message is for programs and need not be visible.
    if text::is_blank(&text) && !text.starts_with(CTCP) {
        return Err(Error::new(Code::NoTextToSend, "no text to send"));
    }
    let text = within(text, TEXT_LIMIT, "the text")?;
    let breaks = text.matches('\n').count();
    if breaks >= LINES_LIMIT {
        return Err(Error::too_long("the text", LINES_LIMIT, "lines"));
    }
    if breaks > 0 && text.starts_with(CTCP) {
        return Err(Error::malformed("a CTCP message must be one line"));
    }
    Ok(text)
}

/// `SILENCE [+<mask>|-<mask>]`.
fn silence<C: From<Query> + From<Change>>(params: &[String]) -> Result<C> {
    let Some(param) = params.first().filter(|param| !param.is_empty()) else {
        return Ok(Query::Silences.into());
    };
    let (mask, on) = match (param.strip_prefix('+'), param.strip_prefix('-')) {
        (Some(mask), _) => (mask, true),
        (_, Some(mask)) => (mask, false),
        _ => {
            return Err(Error::malformed(
                "write +mask to add a mask, or -mask to remove one",
            ));
        }
    };
    Ok(Change::Silence(Mask::parse(mask)?, on).into())
}

/// `MARKREAD <target> [<id>]`.
fn mark_read<C: From<Query> + From<Change>>(params: &[String]) -> Result<C> {
    let id = params.get(1).map(|id| event_id(id)).transpose()?;
    let (target, to) = (Target::parse(&params[0])?, None);
    Ok(match id {
        Some(id) => Change::MarkRead { target, id, to }.into(),
        None => Query::ReadMarker { target, to }.into(),
    })
}
