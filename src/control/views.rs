//! The tables of apps, sessions, channels and grants that the operator sees.

use serde_json::{Value, json};

use super::table::Table;
use crate::{
    chat::channel_admin::ChannelDetails,
    model::ClientView,
    oauth::grants::Standing,
    store::{
        app::{App, ClientType},
        ban::Ban,
        membership::Member,
        session::Overview,
    },
};

/// The table of apps, each with the number of its live grants.
pub fn apps(apps: &[(App, i64)]) -> Table {
    Table::of(
        apps,
        &[
            ("client_id", |(app, _)| json!(app.client_id)),
            ("type", |(app, _)| kind(app)),
            ("grants", |(_, grants)| json!(grants)),
            ("created_at", |(app, _)| json!(app.created_at)),
            ("ended_at", |(app, _)| json!(app.ended_at)),
            ("tried", |(app, _)| json!(app.tried)),
            ("scope", |(app, _)| json!(app.scope.to_string())),
            ("name", |(app, _)| json!(app.name)),
            ("redirect_uris", |(app, _)| json!(app.redirect_uris())),
        ],
    )
}

/// The kind of an app, in the words of the flags that registered it.
fn kind(app: &App) -> Value {
    let client_type = app.registration().map(|app| app.client_type);
    let words = [
        (app.is_public(), "public"),
        (app.has_device_flow(), "device"),
        (app.is_resource_server(), "resource-server"),
        (
            client_type.is_some_and(ClientType::is_bearer_alone),
            "bearer-alone",
        ),
    ];
    words
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| word)
        .collect()
}

/// The table of a session's API keys.
pub fn keys(keys: &[App]) -> Table {
    Table::of(
        keys,
        &[
            ("client_id", |key| json!(key.client_id)),
            ("created_at", |key| json!(key.created_at)),
            ("expires_at", |key| json!(key.expires_at())),
            ("scope", |key| json!(key.scope.to_string())),
            ("res", |key| json!(key.res())),
            ("name", |key| json!(key.name)),
        ],
    )
}

/// The table of sessions, each with the numbers of its clients, keys, grants and channels.
pub fn sessions(sessions: &[Overview]) -> Table {
    Table::of(
        sessions,
        &[
            ("session", |it| json!(it.session.id)),
            ("nick", |it| json!(it.session.nick)),
            ("password", |it| json!(it.session.password_hash.is_some())),
            ("clients", |it| json!(it.clients)),
            ("keys", |it| json!(it.keys)),
            ("grants", |it| json!(it.grants)),
            ("channels", |it| json!(it.channels)),
            ("created_at", |it| json!(it.session.created_at)),
            ("seen_at", |it| json!(it.seen_at)),
        ],
    )
}

/// The table of one channel, with its key.
pub fn channel(shown: &ChannelDetails) -> Table {
    Table::of(
        std::slice::from_ref(shown),
        &[
            ("channel", |it| json!(it.channel.name.as_str())),
            ("modes", |it| json!(it.channel.modes.render(true))),
            ("members", |it| json!(it.members.len())),
            ("created_at", |it| json!(it.channel.created_at)),
            ("topic", |it| {
                json!(it.channel.topic.as_ref().map(|topic| &topic.text))
            }),
        ],
    )
}

/// The table of a channel's members.
pub fn members(members: &[Member]) -> Table {
    Table::of(
        members,
        &[
            ("session", |member| json!(member.session)),
            ("nick", |member| json!(member.nick)),
            ("op", |member| json!(member.op)),
            ("voice", |member| json!(member.voice)),
            ("away", |member| json!(member.away)),
        ],
    )
}

/// The table of a channel's bans.
pub fn bans(bans: &[Ban]) -> Table {
    Table::of(
        bans,
        &[
            ("ban", |ban| json!(ban.mask.mask.as_str())),
            ("set_by", |ban| json!(ban.set_by)),
            ("set_at", |ban| json!(ban.set_at)),
        ],
    )
}

/// The table of a session's clients.
pub fn clients(clients: &[ClientView]) -> Table {
    Table::of(
        clients,
        &[
            ("client", |client| json!(client.id)),
            ("created_at", |client| json!(client.created_at)),
            ("seen_at", |client| json!(client.seen_at)),
            ("expires_at", |client| json!(client.expires_at)),
            ("name", |client| json!(client.name)),
        ],
    )
}

/// The table of grants, each with its app and its session's nick.
pub fn grants(grants: &[Standing]) -> Table {
    Table::of(
        grants,
        &[
            ("grant", |it| json!(it.grant.id)),
            ("session", |it| json!(it.grant.session())),
            ("nick", |it| json!(it.nick)),
            ("client_id", |it| json!(it.app.client_id)),
            ("client", |it| json!(it.grant.client())),
            ("created_at", |it| json!(it.grant.created_at)),
            ("scope", |it| json!(it.grant.scope.to_string())),
            ("res", |it| json!(it.grant.res())),
            ("name", |it| json!(it.app.name)),
        ],
    )
}
