//! Which file carries out which family of commands. It has the same name as the family's file in
//! `irc::verbs`.

use crate::{
    chat::commands::{
        channel, client, context::CommandContext, lookup, message, mode, nick_and_away,
        replies::ANSWER_BYTES,
    },
    error::Result,
    irc::{Change, Command, Query, Reply},
    model::Caller,
    session::Visibility,
    store::{Read, session},
};

/// Carries out a change, in its transaction.
pub fn change(context: &mut CommandContext, change: Change) -> Result<()> {
    match change {
        Change::Channel(change) => channel::change(context, change),
        Change::Client(change) => client::change(context, change),
        Change::Message(change) => message::change(context, change),
        Change::Mode(change) => mode::change(context, change),
        Change::NickAndAway(change) => nick_and_away::change(context, change),
    }
}

/// Answers a query of this caller.
pub fn query(tx: &Read, caller: Caller, query: &Query) -> Result<Vec<Reply>> {
    let visibility = &Visibility::of(tx, caller)?;
    let me = &session::get(tx, caller.session)?;
    match query {
        Query::Channel(query) => channel::query(visibility, me, query),
        Query::Client(query) => client::query(tx, query),
        Query::Lookup(query) => lookup::query(visibility, me, query),
        Query::Message(query) => message::query(visibility, me, query),
        Query::Mode(query) => mode::query(visibility, me, query),
    }
}

/// The most bytes that the answer to a command may have.
pub fn longest_answer(command: &Command) -> usize {
    match command {
        Command::Change(change) => match change {
            Change::Channel(change) => channel::longest_answer(change),
            Change::Client(change) => client::longest_answer(change),
            Change::Message(change) => message::longest_answer(change),
            Change::Mode(change) => mode::longest_answer(change),
            Change::NickAndAway(change) => nick_and_away::longest_answer(change),
        },
        Command::Query(query) => match query {
            Query::Channel(query) => channel::longest_query_answer(query),
            Query::Client(query) => client::longest_query_answer(query),
            Query::Lookup(query) => lookup::longest_query_answer(query),
            Query::Message(query) => message::longest_query_answer(query),
            Query::Mode(query) => mode::longest_query_answer(query),
        },
        Command::Pass(_) => ANSWER_BYTES,
    }
}
