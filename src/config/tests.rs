//! Tests of the command line.

use super::*;

fn config(args: &[&str]) -> Config {
    Config::parse_from(std::iter::once(&"rejoin").chain(args))
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let config = config(&[]);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.client_idle, Duration::from_hours(720));
    assert_eq!((config.max_clients, config.max_channels), (16, 100));
    assert_eq!(config.flood_limit.0.unwrap().burst, 20);
    assert!(config.check().is_ok());
}

#[test]
fn off_loopback_it_wants_a_public_url_and_tls() {
    let refused = |args: &[&str]| config(args).check().unwrap_err();
    assert!(refused(&["--listen", "0.0.0.0:80"]).contains("--public-url"));
    let plain = [
        "--listen",
        "0.0.0.0:80",
        "--public-url",
        "http://chat.example",
    ];
    assert!(refused(&plain).contains("--insecure-http"));
    assert!(
        config(&[&plain[..], &["--insecure-http"]].concat())
            .check()
            .is_ok()
    );
    assert!(
        config(&[
            "--listen",
            "0.0.0.0:80",
            "--public-url",
            "https://chat.example"
        ])
        .check()
        .is_ok()
    );
}

#[test]
fn a_cookies_name_is_a_token_without_a_special_prefix() {
    assert_eq!(config(&[]).cookie_name, "rejoin");
    for good in ["chat", "chat-2", "a.b_c"] {
        assert_eq!(config(&["--cookie-name", good]).cookie_name, good);
    }
    for bad in [
        "",
        "a b",
        "a=b",
        "a;b",
        "ä",
        "\"a\"",
        "a,b",
        "__Host-chat",
        "__secure-chat",
        "__x",
        &"x".repeat(65),
    ] {
        assert!(cookie_name(bad).is_err(), "{bad}");
    }
}

#[test]
fn limits_and_durations_are_read() {
    assert_eq!("off".parse(), Ok(StorageLimit(None)));
    for (text, bytes) in [
        ("200MB", 200_000_000),
        ("1kb", 1000),
        ("5 GB", 5_000_000_000),
        ("4096", 4096),
    ] {
        assert_eq!(text.parse(), Ok(StorageLimit(Some(bytes))), "{text}");
    }
    for bad in [
        "",
        "MB",
        "0",
        "0MB",
        "-1MB",
        "200MiBs",
        "2.5MB",
        "99999999999999999999",
        "99999999999TB",
        "12é",
    ] {
        assert!(bad.parse::<StorageLimit>().is_err(), "{bad}");
    }
    assert_eq!("off".parse(), Ok(FloodLimit(None)));
    assert!("5".parse::<FloodLimit>().is_err() && "0:5".parse::<FloodLimit>().is_err());
    assert_eq!(duration("12h"), Ok(Duration::from_hours(12)));
    for bad in [
        "",
        "5",
        "d",
        "5w",
        "-1d",
        "0s",
        "99999999999999999999d",
        "5é",
    ] {
        assert!(duration(bad).is_err(), "{bad}");
    }
    assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
}
