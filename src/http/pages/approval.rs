//! What the pages that ask a person for a grant have in common: the scope in plain words, and the
//! channels to choose from.

use crate::{
    error::{Error, Result},
    http::{
        extract::form_fields::FormFields,
        pages::{
            assets,
            template::{escape, render, sentence},
        },
    },
    model::{ChannelName, Scope, Scopes},
};

/// What a scope means to the person who is asked for it.
fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::ChatRead => "read what is said, from now on and before",
        Scope::ChatWrite => "speak, join and leave channels and set topics, in your name",
        Scope::ChatModerate => "kick, invite and change channels' modes, in your name",
        Scope::Identity => "know your nick and the channels you are on",
        Scope::SessionManage => {
            "manage this session: change its nick and password, remove its devices, make keys, and end it"
        }
        Scope::Any => "",
    }
}

/// Writes the part of a page on which is decided: what is asked for, the choice of channels as it
/// was made in `form`, what was wrong with it, and the two answers, the one that lets nobody in
/// first, so that it is what Enter means.
pub fn ask(
    scopes: Scopes,
    channels: &[ChannelName],
    form: &FormFields,
    refusal: Option<&Error>,
    page: &mut String,
) {
    page.push_str(&render(assets::DECISION, |name, page| match name {
        "scopes" => list_scopes(scopes, page),
        "channels" => offer_channels(scopes, channels, form, page),
        "error" => escape(
            &refusal.map_or(String::new(), |error| sentence(&error.detail)),
            page,
        ),
        _ => {}
    }));
}

/// The scopes as list items.
fn list_scopes(scopes: Scopes, page: &mut String) {
    for scope in Scope::ALL.into_iter().filter(|scope| scopes.allow(*scope)) {
        let warning = if scope == Scope::SessionManage {
            " class=\"warning\""
        } else {
            ""
        };
        page.push_str(&format!("<li{warning}>{}</li>", meaning(scope)));
    }
}

/// The choice of channels. Whoever manages a session reaches all of it, so there it would be a
/// false promise.
fn offer_channels(scopes: Scopes, channels: &[ChannelName], form: &FormFields, page: &mut String) {
    if scopes.allow(Scope::SessionManage) {
        return;
    }
    let checked = |yes: bool| if yes { " checked" } else { "" };
    let confined = matches!(form.only("where"), Ok(Some("chosen")));
    page.push_str(&format!(
        "<fieldset class=\"choose\"><legend>Where?</legend>\
         <label><input type=\"radio\" name=\"where\" value=\"everywhere\"{}> \
         All your channels and direct messages</label>\
         <label><input type=\"radio\" name=\"where\" value=\"chosen\"{}> Only these channels:</label>",
        checked(!confined),
        checked(confined),
    ));
    let chosen = form.all("res");
    for channel in channels {
        page.push_str("<label class=\"within\"><input type=\"checkbox\" name=\"res\" value=\"");
        escape(channel.as_str(), page);
        page.push_str(&format!(
            "\"{}> ",
            checked(chosen.contains(&channel.as_str()))
        ));
        escape(channel.as_str(), page);
        page.push_str("</label>");
    }
    page.push_str("</fieldset>");
}

/// What was chosen: `None` is everywhere. Where channels are ticked as well, it may not be what was
/// meant.
pub fn chosen_channels(scopes: Scopes, form: &FormFields) -> Result<Option<Vec<ChannelName>>> {
    match form.only("where")? {
        None | Some("everywhere") if form.all("res").is_empty() => Ok(None),
        None | Some("everywhere") => Err(Error::malformed(
            "you ticked channels: choose only these, or untick them for all that you are on",
        )),
        Some("chosen") if scopes.allow(Scope::SessionManage) => Err(Error::malformed(
            "what manages the whole session is not confined to channels",
        )),
        Some("chosen") if form.all("res").is_empty() => Err(Error::malformed(
            "choose at least one channel, or all that you are on",
        )),
        Some("chosen") => form
            .all("res")
            .iter()
            .map(|name| ChannelName::parse(name).map_err(Error::from))
            .collect::<Result<_>>()
            .map(Some),
        Some(_) => Err(Error::malformed("where is everywhere or chosen")),
    }
}
