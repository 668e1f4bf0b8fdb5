//! nginx and Caddy, configured as the documentation says, in front of a real server. The client is
//! curl over TLS.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use tempfile::TempDir;

use crate::support::{Process, TEST_TIMEOUT, docs, tls::Certificate};

/// The host name of the documentation's examples.
const HOST: &str = "chat.example.org";
/// The socket on which nginx serves plain http, in place of port 80.
const PLAIN: &str = "http.sock";

/// A server, a proxy in front of it, and a folder for both.
struct Site {
    folder: TempDir,
    certificate: Certificate,
    server: Process,
    port: u16,
    proxy: Option<Child>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let public_url = format!("https://{HOST}");
        let flags = ["--public-url", &public_url, "--trusted-proxy", "127.0.0.1"];
        let server = Process::start(&folder.path().join("rejoin.db"), &flags);
        // Neither proxy can let the system pick its port, so the test picks a free one.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Self {
            folder,
            certificate: Certificate::of(HOST),
            server,
            port,
            proxy: None,
        }
    }

    fn nginx() -> Self {
        let site = Self::new();
        let block = docs::snippet("nginx");
        let listen = format!("listen 127.0.0.1:{} ssl http2;", site.port);
        let block = docs::replace(&block, "listen 443 ssl http2;", &listen);
        let block = docs::replace(&block, "listen [::]:443 ssl http2;", "");
        let folder = site.folder.path().display();
        let plain = format!("listen unix:{folder}/{PLAIN};");
        let block = docs::replace(&block, "listen 80;", &plain);
        let block = docs::replace(&block, "listen [::]:80;", "");
        let block = site.with_own_files(&block);
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
            .concat();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nevents {{}}\n\
             http {{\naccess_log off;\n{temporary}{block}}}\n"
        );
        let file = site.folder.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut nginx = Command::new(program("nginx"));
        nginx
            .args(["-e", "stderr", "-c"])
            .arg(file)
            .arg("-p")
            .arg(site.folder.path());
        site.behind(&mut nginx)
    }

    fn caddy() -> Self {
        let site = Self::new();
        let block = docs::replace(
            &docs::snippet("caddy"),
            &format!("{HOST} {{"),
            &format!(
                "https://{HOST}:{} {{\n\ttls {} {}",
                site.port,
                site.certificate.certificate().display(),
                site.certificate.key().display()
            ),
        );
        let block = docs::replace(&block, "127.0.0.1:8080", &site.server.address().to_string());
        let options = "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n";
        let file = site.folder.path().join("Caddyfile");
        fs::write(&file, options.to_owned() + &block).unwrap();
        let mut caddy = Command::new(program("caddy"));
        caddy
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(file)
            .env("HOME", site.folder.path())
            .env("XDG_DATA_HOME", site.folder.path())
            .env("XDG_CONFIG_HOME", site.folder.path());
        site.behind(&mut caddy)
    }

    /// The documented configuration, with this site's certificate and server.
    fn with_own_files(&self, block: &str) -> String {
        let file = |path: PathBuf| path.display().to_string();
        let (pem, key) = (self.certificate.certificate(), self.certificate.key());
        let live = format!("/etc/letsencrypt/live/{HOST}");
        let block = docs::replace(block, &format!("{live}/fullchain.pem"), &file(pem));
        let block = docs::replace(&block, &format!("{live}/privkey.pem"), &file(key));
        docs::replace(&block, "http://127.0.0.1:8080", &self.server.base)
    }

    /// Starts a proxy and waits until it accepts connections.
    fn behind(mut self, proxy: &mut Command) -> Self {
        let log = self.folder.path().join("proxy.log");
        let proxy = proxy
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .expect("tests/run brings nginx and Caddy");
        let proxy = self.proxy.insert(proxy);
        let deadline = Instant::now() + TEST_TIMEOUT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = proxy.try_wait().unwrap();
            let log = fs::read_to_string(&log).unwrap();
            assert!(ended.is_none() && Instant::now() < deadline, "{log}");
            std::thread::yield_now();
        }
        self
    }

    /// A curl command with a cookie file, from an address that no other client uses.
    fn curl(&self, cookies: &str, path: &str, args: &[&str]) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--interface", "127.1.2.3", "--cacert"])
            .arg(self.certificate.certificate())
            .args(["-b", cookies, "-c", cookies, "--max-time"])
            .arg(TEST_TIMEOUT.as_secs().to_string())
            .arg("--connect-to")
            .arg(format!("{HOST}:443:127.0.0.1:{}", self.port))
            .args(args)
            .arg(format!("https://{HOST}{path}"))
            .current_dir(self.folder.path());
        curl
    }

    /// Sends a request. Returns the body and the status, each on a line of its own.
    fn call(&self, cookies: &str, path: &str, args: &[&str]) -> String {
        let status = ["-w", "\n%{http_code}"];
        let output = self
            .curl(cookies, path, &[&status, args].concat())
            .output()
            .unwrap();
        text(&output)
    }

    fn send(&self, cookies: &str, line: &str) {
        let plain = ["-H", "Content-Type: text/plain", "--data-raw", line];
        let answer = self.call(cookies, "/api/v1/messages", &plain);
        assert!(answer.ends_with("\n200"), "{answer}");
    }

    /// Reads the queue while it grows, and asserts that a sent text appears at once.
    fn follows(&self, cookies: &str, path: &str, args: &[&str], begin: &str, sent: &str) {
        let mut curl = self
            .curl(cookies, path, args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stream = BufReader::new(curl.stdout.take().unwrap());
        read_until(&mut stream, begin);
        self.send(cookies, &format!("PRIVMSG #proxies :{sent}"));
        read_until(&mut stream, sent);
        curl.kill().unwrap();
        curl.wait().unwrap();
    }

    fn works(&self) {
        let json = ["-H", "Content-Type: application/json", "-d"];
        let post = |body| [&json[..], &[body]].concat();

        // A new session gets the address that the proxy sees, and a cookie for this host alone.
        let created = self.call("alice", "/api/v1/session", &post(r#"{"nick":"alice"}"#));
        assert!(created.ends_with("\n201"), "{created}");
        assert!(created.contains("\"first\":\"127.1.2.0/24\""), "{created}");
        let cookies = fs::read_to_string(self.folder.path().join("alice")).unwrap();
        assert!(cookies.contains("__Host-rejoin"), "{cookies}");

        // Another device logs in and then loads the page.
        self.send("alice", "JOIN #proxies");
        self.send("alice", "PASS :correct horse battery");
        let page = self.call("phone", "/login?nick=alice", &[]);
        assert!(page.contains("Rejoin") && page.ends_with("\n200"), "{page}");
        let login = post(r#"{"nick":"alice","password":"correct horse battery"}"#);
        assert!(self.call("phone", "/login", &login).ends_with("\n200"));

        // A message arrives at once by each delivery mode.
        self.follows("alice", "/api/v1/events", &["-N"], "id:", "by a stream");
        let upgrade = [
            "-N",
            "-i",
            "--http1.1",
            "-H",
            "Connection: Upgrade",
            "-H",
            "Upgrade: websocket",
            "-H",
            "Sec-WebSocket-Version: 13",
            "-H",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let socket = "/api/v1/socket?after=0";
        self.follows("phone", socket, &upgrade, "101 Switching", "by a socket");

        // The long state of an app comes back in the Location header, and the browser can follow
        // it.
        let authorize = self.authorize(&"s".repeat(12_000));
        let asked = self.call("nobody", &authorize, &["-i"]);
        let next = asked
            .lines()
            .find_map(|line| Some(line.to_ascii_lowercase().strip_prefix("location: ")?.len()));
        assert!(next.is_some_and(|length| length > 12_000), "{asked}");
        let login = self.call("nobody", &authorize, &["-L", "-o", "page"]);
        assert!(login.ends_with("\n200"), "{login}");
        assert!(
            fs::read_to_string(self.folder.path().join("page"))
                .unwrap()
                .contains("/auth/authorize")
        );
        // A request with many cookies of neighbouring applications passes as well.
        let cookies = format!("Cookie: neighbour={}", "c".repeat(12_000));
        let healthy = self.call("nobody", "/healthz", &["-H", &cookies]);
        assert_eq!(healthy, "ok\n\n200");

        let metrics = self.call("alice", "/metrics", &[]);
        assert!(metrics.ends_with("\n403"), "{metrics}");
    }

    /// Asserts that plain http redirects to the same page over https.
    fn redirects_to_https(&self) {
        let output = Command::new("curl")
            .args([
                "-sS",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code} %{redirect_url}",
            ])
            .args([
                "--unix-socket",
                PLAIN,
                &format!("http://{HOST}/login?nick=a"),
            ])
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert_eq!(text(&output), format!("301 https://{HOST}/login?nick=a"));
    }

    /// The path of an authorization request with a state.
    fn authorize(&self, state: &str) -> String {
        let script = "rejoin app add --name Wiki --redirect-uri https://wiki.example.org/done";
        let database = self.folder.path().join("rejoin.db");
        let registered = docs::bash(script, self.folder.path(), &database).output();
        let registered = text(&registered.unwrap());
        let client_id = registered
            .lines()
            .find_map(|line| line.strip_prefix("client_id="))
            .unwrap();
        format!(
            "/auth/authorize?response_type=code&client_id={client_id}&redirect_uri=https://wiki.example.org/done\
             &scope=identity&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM\
             &code_challenge_method=S256&state={state}"
        )
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(proxy) = &mut self.proxy {
            // The proxy may have ended by itself.
            let _ = proxy.kill();
            let _ = proxy.wait();
        }
    }
}

/// The program of a proxy, either installed or unpacked by `tests/run`.
fn program(name: &str) -> PathBuf {
    let unpacked = docs::root().join("target/proxies/usr");
    let folders = [Path::new("/usr"), &unpacked];
    let places = folders.map(|folder| ["sbin", "bin"].map(|bin| folder.join(bin).join(name)));
    places
        .into_iter()
        .flatten()
        .find(|place| place.exists())
        .unwrap_or_else(|| name.into())
}

/// The output of a program that succeeded and printed no error.
fn text(output: &Output) -> String {
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Reads until a text appears.
fn read_until(stream: &mut BufReader<impl Read>, wanted: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(wanted) {
        let piece = stream.fill_buf().unwrap();
        let (length, so_far) = (piece.len(), String::from_utf8_lossy(&read).into_owned());
        assert!(length > 0, "{wanted:?} did not come: {so_far}");
        read.extend_from_slice(piece);
        stream.consume(length);
    }
}

#[test]
fn nginx_works_with_the_documented_configuration() {
    let site = Site::nginx();
    site.works();
    site.redirects_to_https();
}

#[test]
fn caddy_works_with_the_documented_configuration() {
    Site::caddy().works();
}
