//! A proxy that terminates TLS, like the one in front of every server with an https address.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// The domain of the certificate. Nobody can register it (RFC 6761 §6.2).
pub const DOMAIN: &str = "rejoin.test";

/// A self-signed certificate for all hosts of the domain.
pub struct Certificate(TempDir);

impl Certificate {
    pub fn new() -> Self {
        Self::of(DOMAIN)
    }

    /// A certificate for another domain.
    pub fn of(domain: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = format!("subjectAltName=DNS:{domain},DNS:*.{domain}");
        let made = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ])
            .args([
                "-subj",
                &format!("/CN={domain}"),
                "-addext",
                &names,
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status()
            .expect("openssl is installed by tests/run");
        assert!(made.success());
        Self(folder)
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    /// The file of its private key.
    pub fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }
}

/// The proxy, on a port that the system picked.
pub struct Tls {
    process: Child,
    pub port: u16,
}

impl Tls {
    pub fn start(certificate: &Certificate) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/support/tls.py");
        let mut process = Command::new("/usr/bin/python3")
            .args([script, "cert.pem", "key.pem"])
            .current_dir(certificate.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            port: line.trim().parse().unwrap(),
        }
    }

    /// The host of the domain with this name, and the port.
    pub fn host(&self, name: &str) -> String {
        format!("{name}.{DOMAIN}:{}", self.port)
    }

    /// Starts to forward to a server.
    pub fn serve(&mut self, server: SocketAddr) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{}", server.port()).unwrap();
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // The process may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
