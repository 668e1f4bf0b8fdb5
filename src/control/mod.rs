//! The operator's door: a socket beside the database, for its owner alone, by which subcommands reach a running server.
//!
//! One JSON line asks, one answers. With no server running a subcommand opens the database itself, lock and all, and does
//! the same.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};

use crate::{
    audit::Entry,
    chat::Chat,
    config::{Config, Operation},
    model::Timestamp,
    password::Hasher,
};

/// Bytes of a question, at most.
const QUESTION_LIMIT: u64 = 64 * 1024;
/// Between two tries to accept when that fails.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize)]
enum Question {
    Backup { to: PathBuf },
    Audit { before: Option<i64>, limit: usize },
}

#[derive(Serialize, Deserialize)]
enum Answer {
    Done,
    Audit(Vec<Entry>),
    Failed(String),
}

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

    /// Answers until it is dropped.
    pub async fn serve(&self, chat: Arc<Chat>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let chat = chat.clone();
                    tokio::spawn(async move {
                        if let Err(error) = converse(stream, &chat).await {
                            tracing::warn!(%error, "a conversation on the control socket broke off");
                        }
                    });
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

async fn converse(stream: UnixStream, chat: &Chat) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut line = String::new();
    BufReader::new(from.take(QUESTION_LIMIT)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(question) => answer(chat, question).await,
        Err(error) => Answer::Failed(format!("the question is not understood: {error}")),
    };
    let mut line = serde_json::to_string(&answer)?;
    line.push('\n');
    to.write_all(line.as_bytes()).await
}

async fn answer(chat: &Chat, question: Question) -> Answer {
    let result = match question {
        Question::Backup { to } => chat.backup(to).await.map(|()| Answer::Done),
        Question::Audit { before, limit } => chat.audit(before, limit).await.map(Answer::Audit),
    };
    result.unwrap_or_else(|error| Answer::Failed(error.detail))
}

/// Carries out a subcommand: asks the running server, or, where there is none, does it itself. What to print.
pub async fn operate(config: &Config, operation: Operation, now: Timestamp) -> Result<String, String> {
    let question = match operation {
        // The server may stand in another folder.
        Operation::Backup { file } => Question::Backup { to: std::path::absolute(file).map_err(|e| e.to_string())? },
        Operation::Audit { before, limit } => Question::Audit { before, limit },
    };
    let answer = match UnixStream::connect(socket(&config.database)).await {
        Ok(stream) => ask(stream, &question).await.map_err(|e| format!("the running server did not answer: {e}"))?,
        Err(_) => alone(config, question, now).await?,
    };
    match answer {
        Answer::Done => Ok(String::new()),
        Answer::Audit(entries) => Ok(entries.iter().map(|entry| format!("{entry}\n")).collect()),
        Answer::Failed(why) => Err(why),
    }
}

async fn ask(stream: UnixStream, question: &Question) -> io::Result<Answer> {
    let (from, mut to) = stream.into_split();
    let mut line = serde_json::to_string(question)?;
    line.push('\n');
    to.write_all(line.as_bytes()).await?;
    let mut line = String::new();
    BufReader::new(from).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

async fn alone(config: &Config, question: Question, now: Timestamp) -> Result<Answer, String> {
    if !config.database.exists() {
        return Err(format!("there is no database {}", config.database.display()));
    }
    let hasher = Hasher::start(1).map_err(|error| error.detail)?;
    let chat = Chat::open(&config.database, config.limits(), hasher, now).map_err(|error| error.detail)?;
    let answer = answer(&chat, question).await;
    chat.close().await;
    Ok(answer)
}

fn socket(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".sock");
    path.into()
}
