//! The operator's door: a socket beside the database, for its owner alone, by which subcommands reach a running server.
//!
//! One JSON line asks, one answers, and so on: a list is asked for page by page. With no server running a subcommand opens
//! the database itself, lock and all, and does the same.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::{
    chat::Chat,
    config::{Config, Operation},
    model::{Clock, Timestamp},
    password::Hasher,
};

mod answer;
mod table;
mod views;

use answer::{Answer, Question, answer};

/// Bytes of a question, at most.
const QUESTION_LIMIT: u64 = 64 * 1024;
/// Between two tries to accept when that fails.
const PAUSE: Duration = Duration::from_secs(1);

/// The socket of a running server; it is removed when dropped.
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    /// Opens the socket of a database whose lock is held.
    pub fn open(database: &Path) -> io::Result<Self> {
        let path = socket(database);
        // Made under another name, so that nobody can knock before it is its owner's alone.
        let fresh = path.with_extension("sock.new");
        for old in [&path, &fresh] {
            match fs::remove_file(old) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let listener = UnixListener::bind(&fresh)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
        fs::rename(&fresh, &path)?;
        Ok(Self { listener, path })
    }

    /// Answers until it is dropped, and every conversation with it.
    pub async fn serve(&self, chat: Arc<Chat>, clock: Clock) {
        let mut conversations = FuturesUnordered::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = conversations.next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let conversation = async {
                        if let Err(error) = converse(stream, &chat, &clock).await {
                            tracing::warn!(%error, "a conversation on the control socket broke off");
                        }
                    };
                    // A panic costs its own conversation and nothing else.
                    conversations.push(AssertUnwindSafe(conversation).catch_unwind());
                }
                Err(error) => {
                    // Most likely there are too many open files, which passes.
                    tracing::error!(%error, "the control socket cannot accept at this moment");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Should it be gone already, so much the better.
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, chat: &Chat, clock: &Clock) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    loop {
        let mut line = String::new();
        if (&mut from).take(QUESTION_LIMIT).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        match serde_json::from_str(&line) {
            Ok(question) => say(&mut to, &answer(chat, question, clock).await).await?,
            // Nor would be what follows.
            Err(error) => {
                return say(&mut to, &Answer::Failed(format!("the question is not understood: {error}"))).await;
            }
        }
    }
}

/// Writes one line.
async fn say(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(what)?;
    line.push('\n');
    to.write_all(line.as_bytes()).await
}

/// Carries out a subcommand: asks the running server, or, where there is none, does it itself. What to print.
pub async fn operate(config: &Config, operation: Operation, clock: &Clock) -> Result<String, String> {
    let operation = match operation {
        // The server may stand in another folder.
        Operation::Backup { file } => Operation::Backup { file: std::path::absolute(file).map_err(|e| e.to_string())? },
        operation => operation,
    };
    let mut server = Server::of(config, clock.now()).await?;
    let answer = server.answer(operation, clock).await;
    server.close().await;
    match answer? {
        Answer::Failed(why) => Err(why),
        answer => Ok(answer.print(config.json)),
    }
}

/// Who answers.
enum Server {
    Running(BufReader<UnixStream>),
    /// None is running: the database is opened here.
    Here(Box<Chat>),
}

impl Server {
    async fn of(config: &Config, now: Timestamp) -> Result<Self, String> {
        if let Ok(stream) = UnixStream::connect(socket(&config.database)).await {
            return Ok(Self::Running(BufReader::new(stream)));
        }
        if !config.database.exists() {
            return Err(format!("there is no database {}", config.database.display()));
        }
        let hasher = Hasher::start(1).map_err(|error| error.detail)?;
        let chat = Chat::open(&config.database, config.limits(), hasher, now).map_err(|error| error.detail)?;
        Ok(Self::Here(Box::new(chat)))
    }

    /// The whole answer; a list is asked for page by page.
    async fn answer(&mut self, operation: Operation, clock: &Clock) -> Result<Answer, String> {
        let mut answer = self.page(Question { operation: operation.clone(), after: 0 }, clock).await?;
        while let Answer::Listed { tables, next } = &mut answer
            && let Some(after) = next.take()
        {
            match self.page(Question { operation: operation.clone(), after }, clock).await? {
                Answer::Listed { tables: more, next: then } => {
                    tables.iter_mut().zip(more).for_each(|(table, more)| table.append(more));
                    *next = then;
                }
                failed => return Ok(failed),
            }
        }
        Ok(answer)
    }

    async fn page(&mut self, question: Question, clock: &Clock) -> Result<Answer, String> {
        match self {
            Self::Running(stream) => {
                ask(stream, &question).await.map_err(|e| format!("the running server did not answer: {e}"))
            }
            Self::Here(chat) => Ok(answer(chat, question, clock).await),
        }
    }

    async fn close(self) {
        if let Self::Here(chat) = self {
            chat.close().await;
        }
    }
}

async fn ask(stream: &mut BufReader<UnixStream>, question: &Question) -> io::Result<Answer> {
    say(stream, question).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

fn socket(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".sock");
    path.into()
}
