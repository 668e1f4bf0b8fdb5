//! The part of a page on which a session decides about an app: the scopes in plain words, and the
//! channels to choose from.

use crate::{
    error::{Error, Result},
    http::{extract::form_fields::FormFields, pages::template::sentence},
    model::{ChannelName, Scope, Scopes},
};

/// What `decision.html` shows. The button that denies comes first, so that Enter denies.
pub struct Decision<'a> {
    /// The scopes that the app asks for.
    pub scopes: Scopes,
    /// The channels of the session.
    pub channels: &'a [ChannelName],
    /// The form as it was sent before: its choice of channels is shown again.
    pub form: &'a FormFields,
    /// The error of that form.
    pub refusal: Option<&'a Error>,
}

/// A scope as a line of the page.
pub struct ScopeLine {
    /// The scope's meaning in plain words.
    pub meaning: &'static str,
    /// Whether it gives full control of the session.
    pub is_dangerous: bool,
}

impl Decision<'_> {
    /// The scopes, one line each.
    pub fn scopes(&self) -> impl Iterator<Item = ScopeLine> {
        let asked = Scope::ALL
            .iter()
            .copied()
            .filter(|scope| self.scopes.allow(*scope));
        asked.map(|scope| ScopeLine {
            meaning: meaning(scope),
            is_dangerous: scope == Scope::SessionManage,
        })
    }

    /// Whether the page offers a choice of channels. It does not for an app that manages the
    /// session, because such an app reaches all channels anyway.
    pub fn offers_channels(&self) -> bool {
        !self.scopes.allow(Scope::SessionManage)
    }

    /// Whether the form chose some channels.
    pub fn is_confined(&self) -> bool {
        matches!(self.form.only("where"), Ok(Some("chosen")))
    }

    /// Whether the form chose this channel.
    pub fn is_chosen(&self, channel: &ChannelName) -> bool {
        self.form.all("res").contains(&channel.as_str())
    }

    /// The error of the form as a sentence, or an empty text.
    pub fn error(&self) -> String {
        self.refusal
            .map_or(String::new(), |error| sentence(&error.detail))
    }
}

/// The meaning of a scope, in words for the user.
fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::ChatRead => "read messages, including those from before now",
        Scope::ChatWrite => "send messages, join and leave channels, and set topics in your name",
        Scope::ChatModerate => "kick and invite users, and change channels' modes in your name",
        Scope::Identity => "know your nick and the channels you are on",
        Scope::SessionManage => {
            "manage this session: change its nick and password, remove its devices, create keys, \
             and end it"
        }
    }
}

/// The chosen channels. `None` means all channels. Fails if the form says all channels and also
/// ticks some, because the user's intention is unclear.
pub fn chosen_channels(scopes: Scopes, form: &FormFields) -> Result<Option<Vec<ChannelName>>> {
    match form.only("where")? {
        None | Some("everywhere") if form.all("res").is_empty() => Ok(None),
        None | Some("everywhere") => Err(Error::malformed(
            "you ticked channels: choose “Only these channels”, or untick them to allow all",
        )),
        Some("chosen") if scopes.allow(Scope::SessionManage) => Err(Error::malformed(
            "an app that manages the session cannot be restricted to channels",
        )),
        Some("chosen") if form.all("res").is_empty() => Err(Error::malformed(
            "choose at least one channel, or all channels",
        )),
        Some("chosen") => form
            .all("res")
            .iter()
            .map(|name| ChannelName::parse(name).map_err(Error::from))
            .collect::<Result<_>>()
            .map(Some),
        Some(_) => Err(Error::malformed(
            "the parameter where must be everywhere or chosen",
        )),
    }
}

/// The error of a form without a valid decision.
pub fn undecided() -> Error {
    Error::malformed("the parameter decision must be allow or deny")
}
