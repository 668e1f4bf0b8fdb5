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
use crate::{model::Clock, service::Service, store::files};

/// The longest question, in bytes.
const QUESTION_LIMIT: u64 = 64 * 1024;
/// The most subcommands that wait to be accepted.
const BACKLOG: u32 = 128;
/// The pause after a failure to accept.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);
/// How long connections may stay open after the server began to stop. Every question that was asked
/// is answered within this time.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// The socket of a running server. It is removed when the server stops.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The user that the server runs as. Only this user and root are served.
    owner: u32,
    removed: bool,
}

impl ControlSocket {
    /// Opens the socket of a database. The caller holds the database's lock.
    ///
    /// Fails if the file cannot be created, or if it does not belong to this user alone.
    pub fn open(database: &Path) -> io::Result<Self> {
        let path = socket_path(database);
        // Create it under another name, so that nobody can connect before only its owner may.
        let fresh = path.with_extension("sock.new");
        for old in [&path, &fresh] {
            match fs::remove_file(old) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let socket = UnixSocket::new_stream()?;
        // The file gets the mode that the socket has when it is bound, so it is never open to
        // others. The name alone is not trusted: if others may write to the folder, they can put
        // another file in its place.
        fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
        socket.bind(&fresh)?;
        let (made, owner) = (fs::symlink_metadata(&fresh)?, geteuid().as_raw());
        if made.uid() != owner || made.mode() & files::OTHERS != 0 {
            let why = format!("other users can access {}", fresh.display());
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

    /// Answers questions until the server stops. Connections that are waiting by then are still
    /// answered. The socket's file is gone by then.
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
                    tracing::warn!(%error, "a connection to the control socket failed");
                }
            };
            // A panic ends its own connection only.
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
                    // The usual cause is too many open files, which is temporary.
                    tracing::error!(%error, "the control socket cannot accept connections; trying \
                        again in a second");
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

    /// Removes the socket's file once. The next server creates a file with the same name.
    fn remove(&mut self) {
        if !std::mem::replace(&mut self.removed, true) {
            // It does not matter if the file is gone already.
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
            // Nothing after an unparsable question can be trusted.
            Err(error) => {
                return write_line(
                    &mut to,
                    &Answer::Failed(format!(
                        "the running server does not understand this \
                         subcommand; it may be another version of rejoin: {error}"
                    )),
                )
                .await;
            }
        }
    }
}
