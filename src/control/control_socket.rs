//! The control socket of a running server.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use rustix::{
    fs::{Mode, fchmod},
    process::geteuid,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{UnixListener, UnixSocket, UnixStream},
};

use super::{
    answer::answer,
    protocol::{Answer, socket_path, write_line},
};
use crate::{model::Clock, service::Service, store::engine::files};

/// The longest question, in bytes.
const QUESTION_LIMIT: u64 = 64 * 1024;
/// The most subcommands that wait to be accepted.
const BACKLOG: u32 = 128;
/// The pause after a failure to accept.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);
/// How long connections may stay open once the server is stopping. Each question that was asked is
/// answered by then.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// The socket of a running server; it is removed when the server stops.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The user that the server runs as: nobody else but root is heard.
    owner: u32,
    removed: bool,
}

impl ControlSocket {
    /// Opens the socket of a database whose lock is held.
    ///
    /// Fails if the file cannot be made, or if it is not this user's alone.
    pub fn open(database: &Path) -> io::Result<Self> {
        let path = socket_path(database);
        // Made under another name, so that nobody can connect before it is its owner's alone.
        let fresh = path.with_extension("sock.new");
        for old in [&path, &fresh] {
            match fs::remove_file(old) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let socket = UnixSocket::new_stream()?;
        // The file gets the mode that the socket has when it is bound, so it is never open to
        // others. Its name is not trusted with that: in a folder where others may write it can come
        // to stand for another file.
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        socket.bind(&fresh)?;
        let (made, owner) = (fs::symlink_metadata(&fresh)?, geteuid().as_raw());
        if made.uid() != owner || made.mode() & files::OTHERS != 0 {
            let why = format!("{} is not this user's alone", fresh.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        let listener = socket.listen(BACKLOG)?;
        fs::rename(&fresh, &path)?;
        Ok(Self {
            listener,
            path,
            owner,
            removed: false,
        })
    }

    /// Answers until the server is stopping. Those who have come by then are still answered; nobody
    /// else finds the socket.
    pub async fn serve(
        mut self,
        service: Service,
        clock: Clock,
        stopping: impl Future<Output = ()>,
    ) {
        let connections = FuturesUnordered::new();
        let mut connections = pin!(connections);
        let owner = self.owner;
        let connection = |stream: UnixStream| {
            let (service, clock) = (service.clone(), clock.clone());
            let connection = async move {
                if let Err(error) = serve_connection(stream, owner, &service, &clock).await {
                    tracing::warn!(%error, "a connection to the control socket broke off");
                }
            };
            // A panic ends its own connection and nothing else.
            AssertUnwindSafe(connection).catch_unwind()
        };
        let mut stopping = pin!(stopping);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.next() => continue,
                () = &mut stopping => break,
            };
            match accepted {
                Ok((stream, _)) => connections.push(connection(stream)),
                Err(error) => {
                    // Most likely there are too many open files, which passes.
                    tracing::error!(%error, "the control socket cannot accept at this moment");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
        self.remove();
        while let Some(Ok((stream, _))) = self.listener.accept().now_or_never() {
            connections.push(connection(stream));
        }
        if tokio::time::timeout(SHUTDOWN_GRACE, connections.for_each(async |_| {}))
            .await
            .is_err()
        {
            tracing::warn!(
                "a connection to the control socket did not finish in time and was cut off"
            );
        }
    }

    /// Removes the socket, once: the next server has one of the same name.
    fn remove(&mut self) {
        if !std::mem::replace(&mut self.removed, true) {
            // Should it be gone already, so much the better.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.remove();
    }
}

async fn serve_connection(
    stream: UnixStream,
    owner: u32,
    service: &Service,
    clock: &Clock,
) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    if uid != owner && uid != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("user {uid} is not the database's owner"),
        ));
    }
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    loop {
        let mut line = String::new();
        if (&mut from)
            .take(QUESTION_LIMIT)
            .read_line(&mut line)
            .await?
            == 0
        {
            return Ok(());
        }
        match serde_json::from_str(&line) {
            Ok(question) => write_line(&mut to, &answer(service, question, clock).await).await?,
            // Nothing after a question that is not understood can be trusted.
            Err(error) => {
                return write_line(
                    &mut to,
                    &Answer::Failed(format!("the question is not understood: {error}")),
                )
                .await;
            }
        }
    }
}
