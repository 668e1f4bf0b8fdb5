//! Carries out a subcommand. It asks the running server. If there is none, it opens the database
//! and does the work itself.

use std::{io, time::Instant};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UnixStream,
};

use super::{
    access::DatabaseAccess,
    answer::answer,
    protocol::{Answer, Question, write_line},
    restore,
};
use crate::{
    config::{Config, OnKeys, Operation},
    model::{Clock, Timestamp},
    password::Hasher,
    secret::KeyRing,
    service::{Service, Settings},
    store::{
        files, key_file,
        lock::{LOCK_PATIENCE, LOCK_RETRY},
    },
};

/// Carries out a subcommand, and returns the text to print. Fails with a sentence for the operator.
pub async fn run_subcommand(
    config: &Config,
    operation: Operation,
    clock: &Clock,
) -> Result<String, String> {
    // The server may run in another folder, so paths must be absolute.
    let absolute = |file| std::path::absolute(file).map_err(|e| e.to_string());
    let key_file = || absolute(config.key_file(&files::resolve(&config.database)));
    let operation = match operation {
        Operation::Restore {
            file,
            end_credentials,
            force,
        } => {
            return restore::restore(config, &file, end_credentials, force, clock.moment().now)
                .await;
        }
        // This needs no database, and there may be none yet.
        Operation::Keys(OnKeys::Create) => {
            let file = key_file()?;
            let made = KeyRing::generate().and_then(|ring| key_file::create(&file, &ring));
            return made.map(|()| String::new()).map_err(|error| error.detail);
        }
        Operation::Keys(OnKeys::Rotate { at_once, .. }) => Operation::Keys(OnKeys::Rotate {
            at_once,
            file: key_file()?,
        }),
        Operation::Keys(OnKeys::Accept { .. }) => {
            Operation::Keys(OnKeys::Accept { file: key_file()? })
        }
        Operation::Backup { file } => Operation::Backup {
            file: absolute(file)?,
        },
        operation => operation,
    };
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        let mut executor = Executor::of(config, operation.name(), clock.moment().now).await?;
        let answer = executor.answer(operation.clone(), clock).await;
        executor.close().await;
        match answer? {
            // A server that was stopping did nothing. Its successor, or this process, may do the
            // work.
            Answer::Again(_) if Instant::now() < deadline => tokio::time::sleep(LOCK_RETRY).await,
            Answer::Failed(why) | Answer::Again(why) => return Err(why),
            answer => return Ok(answer.print(config.json)),
        }
    }
}

/// The process that carries out a subcommand.
enum Executor {
    /// The server that runs on the database.
    Running(BufReader<UnixStream>),
    /// This process, because no server is running.
    Here(Box<Service>),
}

impl Executor {
    async fn of(config: &Config, name: &str, now: Timestamp) -> Result<Self, String> {
        if !config.database.exists() {
            return Err(format!(
                "there is no database {}",
                config.database.display()
            ));
        }
        let lock = match DatabaseAccess::to(&config.database, name).await? {
            DatabaseAccess::Running(stream) => return Ok(Self::Running(BufReader::new(stream))),
            DatabaseAccess::Locked(lock) => lock,
        };
        let hasher = Hasher::start(1).map_err(|error| error.detail)?;
        let settings = Settings {
            limits: config.limits(),
            storage: None,
            host: None,
        };
        let service = Service::open(lock, None, settings, hasher, now);
        Ok(Self::Here(Box::new(service.map_err(|error| error.detail)?)))
    }

    /// The whole answer. A list is read page by page.
    async fn answer(&mut self, operation: Operation, clock: &Clock) -> Result<Answer, String> {
        let mut answer = self
            .page(
                Question {
                    operation: operation.clone(),
                    after: 0,
                },
                clock,
            )
            .await?;
        while let Answer::Listed { tables, next } = &mut answer
            && let Some(after) = next.take()
        {
            match self
                .page(
                    Question {
                        operation: operation.clone(),
                        after,
                    },
                    clock,
                )
                .await?
            {
                Answer::Listed {
                    tables: more,
                    next: then,
                } => {
                    tables
                        .iter_mut()
                        .zip(more)
                        .for_each(|(table, more)| table.append(more));
                    *next = then;
                }
                failed => return Ok(failed),
            }
        }
        Ok(answer)
    }

    async fn page(&mut self, question: Question, clock: &Clock) -> Result<Answer, String> {
        match self {
            Self::Running(stream) => match ask(stream, &question).await {
                // The server stopped before it read the question, so nothing was done.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
                    ) =>
                {
                    Ok(Answer::Again(
                        "the server stopped before it read the question".into(),
                    ))
                }
                answered => {
                    answered.map_err(|error| format!("the running server did not answer: {error}"))
                }
            },
            Self::Here(service) => Ok(answer(service, question, clock).await),
        }
    }

    async fn close(self) {
        if let Self::Here(service) = self {
            service.core.close(Instant::now()).await;
        }
    }
}

async fn ask(stream: &mut BufReader<UnixStream>, question: &Question) -> io::Result<Answer> {
    write_line(stream, question).await?;
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        let why = "the server stopped before it answered; check whether the subcommand was carried out before you repeat it";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(serde_json::from_str(&line)?)
}
