//! The common alternatives: Debian's ngircd and inspircd, without their limits.

use std::net::SocketAddr;

use futures_util::future::join_all;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{
    server::{self, Server},
    wire::Receiver,
};

/// The connections that register at the same time.
const AT_ONCE: usize = 32;

pub fn ngircd() -> Result<Server, &'static str> {
    let program = server::installed("ngircd").ok_or("it is not installed")?;
    let (dir, address) = (server::folder(), free_address());
    let config = dir.path().join("ngircd.conf");
    let text = format!(
        "[Global]\nName = irc.example.net\nInfo = bench\nListen = 127.0.0.1\nPorts = {}\nServerUID = root\nServerGID = root\n\
         [Limits]\nMaxConnections = 0\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\nMaxJoins = 0\n\
         [Options]\nIdent = no\nPAM = no\nDNS = no\n",
        address.port()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = server::pinned(program);
    command.arg("-n").arg("-f").arg(&config);
    Server::accepting(command, address, dir).ok_or("it did not start")
}

pub fn inspircd() -> Result<Server, &'static str> {
    let program = server::installed("inspircd").ok_or("it is not installed")?;
    let (dir, address) = (server::folder(), free_address());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let text = format!(
        r#"<config format="xml">
<server name="irc.example.net" description="bench" id="97K" network="Bench">
<admin name="bench" nick="bench" email="bench@example.net">
<bind address="127.0.0.1" port="{}" type="clients">
<connect allow="*" timeout="60" hardsendq="100M" softsendq="50M" recvq="10M" threshold="1000000" commandrate="1000000000"
 fakelag="no" localmax="20000" globalmax="20000" maxconnwarn="no" resolvehostnames="no" useident="no">
<class name="none"><pid file="{}">
<path configdir="{2}" datadir="{2}" logdir="{2}" moduledir="/usr/lib/inspircd/modules" runtimedir="{2}">
<performance netbuffersize="65534" somaxconn="4096" softlimit="20000" clonesonconnect="no">
<options defaultmodes="n"><security maxtargets="20"><limits maxnick="31" maxchan="64">
"#,
        address.port(),
        path("pid"),
        dir.path().display(),
    );
    std::fs::write(path("inspircd.conf"), text).unwrap();
    let mut command = server::pinned(program);
    command.args([
        "--nofork",
        "--nolog",
        "--runasroot",
        "--config",
        &path("inspircd.conf"),
    ]);
    Server::accepting(command, address, dir).ok_or("it did not start")
}

/// A free port. These servers cannot pick one themselves, so this takes one that was free a moment
/// ago.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Registers members of a channel, and returns them once all have joined.
pub async fn members(address: SocketAddr, channel: &str, count: usize) -> Vec<Receiver> {
    let mut members = Vec::new();
    while members.len() < count {
        let batch = members.len()..count.min(members.len() + AT_ONCE);
        members.extend(join_all(batch.map(|n| member(address, channel, n))).await);
    }
    // Everyone must have seen the last JOIN before the first message, or it would count as load.
    members
}

async fn member(address: SocketAddr, channel: &str, n: usize) -> Receiver {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let hello = format!("NICK p{n}\r\nUSER p{n} 0 * :p\r\n");
    stream.write_all(hello.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream);
    wait_for(&mut lines, " 001 ").await;
    lines
        .get_mut()
        .write_all(format!("JOIN {channel}\r\n").as_bytes())
        .await
        .unwrap();
    wait_for(&mut lines, " 366 ").await;
    Receiver::irc(lines.into_inner())
}

async fn wait_for(lines: &mut BufReader<TcpStream>, word: &str) {
    let mut line = String::new();
    while !line.contains(word) {
        line.clear();
        assert!(
            lines.read_line(&mut line).await.unwrap() > 0,
            "the server closed a connection"
        );
        if let Some(token) = line.strip_prefix("PING ") {
            lines
                .get_mut()
                .write_all(format!("PONG {token}").as_bytes())
                .await
                .unwrap();
        }
    }
}
