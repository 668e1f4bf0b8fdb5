//! PASS: sets or changes the session's one password.

use crate::{
    chat::{commands::answer::Answer, commands::label::Label, running::Chat},
    error::Result,
    irc::{Reply, verbs::password::Pass},
    model::{Arrival, Caller, HashedPassword},
    password::Verdict,
    session::{password, remaining_access},
    store::{Priority, Write, session},
};

/// How often a PASS is judged when other requests change the password while this one is being
/// hashed.
const MAX_ATTEMPTS: usize = 3;

impl Chat {
    /// PASS. Of a labelled PASS only the verb is stored. Whether a repeated PASS is the same one is
    /// therefore judged by the stored hash.
    pub(super) async fn set_password(
        &self,
        caller: Caller,
        Pass { new, current }: Pass,
        label: Option<Label>,
        arrival: Arrival,
    ) -> Result<Answer> {
        for _ in 0..MAX_ATTEMPTS {
            let (answered, session) = self.known_answer(caller, label.clone()).await?;
            let stored = session.password_hash;
            if let Some(first) = answered {
                let guessed = self.core.guess_password(caller, new, stored, &arrival);
                return match guessed.await? {
                    Verdict::Wrong => Err(Label::reused()),
                    Verdict::Right | Verdict::RightButOutdated => Ok(first),
                };
            }
            let (new, current) = (new.clone(), current.clone());
            let judged = self.core.judge_new_password(
                caller,
                &session.nick,
                new,
                current,
                stored.as_ref(),
                &arrival,
            );
            let (hash, label) = (judged.await?, label.clone());
            let done = self.core.write_as(caller, Priority::Entry, move |tx| {
                answer(tx, caller, stored.as_ref(), &hash, label.as_ref(), &arrival)
            });
            if let Some(answer) = done.await? {
                return Ok(answer);
            }
        }
        Err(password::changing())
    }

    /// The stored answer to this label, and the session as it is now.
    async fn known_answer(
        &self,
        caller: Caller,
        label: Option<Label>,
    ) -> Result<(Option<Answer>, session::Session)> {
        let read = self.core.read_as(caller, move |tx| {
            let answered = Label::answered(label.as_ref(), tx, caller)?;
            Ok((answered, session::get(tx, caller.session)?))
        });
        read.await
    }
}

/// Sets the password and answers. `None` if the stored hash has changed since the password was
/// verified.
fn answer(
    tx: &Write,
    caller: Caller,
    judged: Option<&HashedPassword>,
    hash: &HashedPassword,
    label: Option<&Label>,
    arrival: &Arrival,
) -> Result<Option<Answer>> {
    let origin = Some((caller.client, label.map(|label| label.text.clone())));
    let Some(told) = password::set_password(tx, caller, judged, hash, origin, arrival)? else {
        return Ok(None);
    };
    let mut answer = Answer {
        replies: vec![Reply::command(
            "NOTE",
            &[&"PASS", &"PASSWORD_SET", &"The password is set"],
        )],
        ids: vec![told],
        ..Answer::default()
    };
    if judged.is_some() {
        answer
            .replies
            .extend(remaining_access::reply(tx, caller.session)?);
    }
    if let Some(label) = label {
        label.keep(tx, caller, &answer, arrival.at.now)?;
    }
    Ok(Some(answer))
}
