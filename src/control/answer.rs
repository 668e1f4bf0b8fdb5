//! Carries out the questions of subcommands.

use super::{
    protocol::{Answer, Question},
    restore::SERVER_IS_RUNNING,
    table::Table,
    views,
};
use crate::{
    config::{OnApps, OnKeys, Operation},
    error::{Code, Error, Result},
    model::{AppId, ChannelName, Clock, GrantId, Nick, RedirectUri, Scopes, SessionId},
    oauth::{
        apps::{self, Wanted},
        grants, keys,
    },
    service::Service,
    session::admin::Named,
};

/// The most rows of a list in one answer.
const PAGE: usize = 500;

/// Carries out a question. A failure becomes an answer too.
pub async fn answer(service: &Service, question: Question, clock: &Clock) -> Answer {
    carry_out(service, question, clock)
        .await
        .unwrap_or_else(|error| match error.code {
            Code::Overloaded => Answer::Again(error.detail),
            _ => Answer::Failed(error.detail),
        })
}

async fn carry_out(
    service: &Service,
    Question { operation, after }: Question,
    clock: &Clock,
) -> Result<Answer> {
    Ok(match operation {
        Operation::Backup { file } => {
            service.core.backup(file).await?;
            Answer::Done
        }
        Operation::Restore { .. } => Answer::Failed(SERVER_IS_RUNNING.into()),
        Operation::Audit { before, limit } => {
            Answer::Audit(service.core.audit(before, limit).await?)
        }
        Operation::App(operation) => on_apps(service, operation, after, clock).await?,
        Operation::Sessions => page(
            &service.core.sessions(SessionId(after), PAGE).await?,
            views::sessions,
            |one| one.session.id.0,
        ),
        Operation::Session { session, end: true } => {
            service
                .core
                .remove_session(Named::parse(&session)?, clock.moment().now)
                .await?;
            Answer::Done
        }
        Operation::Session {
            session,
            end: false,
        } => show(service, Named::parse(&session)?).await?,
        Operation::Channel { name, op, end } => on_channel(service, name, op, end, clock).await?,
        Operation::Grants { app, session } => {
            let session = session.map(|session| Named::parse(&session)).transpose()?;
            let grants =
                grants::standing(&service.core, app, session, GrantId(after), PAGE).await?;
            page(&grants, views::grants, |one| one.grant.id.0)
        }
        Operation::Keys(OnKeys::Create) => {
            return Err(Error::malformed("a key file is created without the server"));
        }
        Operation::Keys(OnKeys::Rotate { at_once, file }) => {
            service
                .core
                .rotate_keys(file, at_once, clock.moment())
                .await?;
            Answer::Done
        }
        Operation::Keys(OnKeys::Accept { file }) => {
            service.core.accept_keys(file, clock.moment()).await?;
            Answer::Done
        }
        Operation::Revoke { grant } => {
            grants::remove(&service.core, GrantId(grant), clock.moment().now).await?;
            Answer::Done
        }
    })
}

/// Shows a session with its devices, API keys and grants.
async fn show(service: &Service, named: Named) -> Result<Answer> {
    let (overview, clients) = service.core.session(named).await?;
    let session = overview.session.id;
    let keys = keys::live_of(&service.core, session).await?;
    let grants = grants::standing(
        &service.core,
        None,
        Some(Named::Id(session)),
        GrantId(0),
        usize::MAX,
    )
    .await?;
    let tables = [
        views::sessions(&[overview]),
        views::clients(&clients),
        views::keys(&keys),
        views::grants(&grants),
    ];
    Ok(Answer::Listed {
        tables: tables.into(),
        next: None,
    })
}

/// Shows a channel, or changes it.
async fn on_channel(
    service: &Service,
    name: String,
    op: Option<String>,
    end: bool,
    clock: &Clock,
) -> Result<Answer> {
    // Not parsed, because an older channel may have a name that today's rules refuse.
    let name = ChannelName::stored(if name.starts_with('#') {
        name
    } else {
        format!("#{name}")
    });
    let (channel, nick) = (name.to_string(), op.clone().unwrap_or_default());
    // On the command line, the error names what does not exist.
    let by_name = |error: Error| match error.code {
        Code::NoSuchChannel => Error {
            detail: format!("there is no channel {channel:?}"),
            ..error
        },
        Code::NoSuchNick => Error {
            detail: format!("there is no live session {nick:?}"),
            ..error
        },
        _ => error,
    };
    match op {
        Some(nick) => {
            let nick = Nick::named(&nick).map_err(|invalid| by_name(invalid.into()))?;
            service
                .chat
                .give_op(name, nick, clock.moment().now)
                .await
                .map_err(by_name)?;
        }
        None if end => drop(
            service
                .chat
                .end_channel(name, clock.moment().now)
                .await
                .map_err(by_name)?,
        ),
        None => {
            let shown = service.chat.channel(name).await.map_err(by_name)?;
            let tables = [
                views::channel(&shown),
                views::members(&shown.members),
                views::bans(&shown.bans),
            ];
            return Ok(Answer::Listed {
                tables: tables.into(),
                next: None,
            });
        }
    }
    Ok(Answer::Done)
}

async fn on_apps(
    service: &Service,
    operation: OnApps,
    after: i64,
    clock: &Clock,
) -> Result<Answer> {
    Ok(match operation {
        OnApps::Add {
            name,
            public,
            redirect_uris,
            device,
            resource_server,
            bearer_alone,
            scope,
        } => {
            let redirect_uris = redirect_uris
                .iter()
                .map(|uri| RedirectUri::parse(uri))
                .collect::<Result<_, _>>()?;
            let scope = Scopes::parse(&scope)?;
            let wanted = Wanted {
                name,
                public,
                resource_server,
                bearer_alone,
                device,
                redirect_uris,
                scope,
            };
            apps::register(&service.core, wanted, clock.moment().now)
                .await?
                .into()
        }
        OnApps::List => page(
            &apps::list(&service.core, AppId(after), PAGE).await?,
            views::apps,
            |(app, _)| app.id.0,
        ),
        OnApps::Rotate { client_id, overlap } => {
            apps::rotate(&service.core, client_id, overlap, clock.moment())
                .await?
                .into()
        }
        OnApps::Remove { client_id } => {
            apps::remove(&service.core, client_id, clock.moment().now).await?;
            Answer::Done
        }
    })
}

/// A page of a list. A full page gives the id after which the next one begins.
fn page<T>(rows: &[T], table: fn(&[T]) -> Table, id: fn(&T) -> i64) -> Answer {
    let next = rows.last().filter(|_| rows.len() == PAGE).map(id);
    Answer::Listed {
        tables: vec![table(rows)],
        next,
    }
}
