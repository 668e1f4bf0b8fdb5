//! The benches: Rejoin side by side with common alternatives, or with the most that is possible.
//!
//! `cargo bench` runs all but the slow ones and prints a table. `cargo bench -- snapshot logins`
//! runs those named, and `cargo bench -- abuse` runs the attacks of strangers on a server with its
//! default limits. Every measure is a ratio, and its two sides are taken in turns.
//!
//! Servers are separate processes. Rejoin's is the program in its release build. The bare peers are
//! this program started again, so the same compiler builds them with the same flags. With two
//! processors, the server has one to itself, and the load comes from the other.

use std::collections::HashMap;

use table::Table;

mod abuse;
mod deliveries;
mod http;
mod irc;
mod latency;
mod load;
mod logins;
mod memory;
mod messages;
mod passwords;
mod peers;
mod people;
mod server;
mod snapshot;
mod start;
mod table;
mod versions;
mod wire;

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .peekable();
    if args.next_if_eq("--peer").is_some() {
        return peers::run(args);
    }
    server::raise_file_limit();
    server::leave_processor_to_servers();
    let mut named: Vec<String> = args.collect();
    if let Some(at) = named.iter().position(|name| name == "abuse") {
        named.splice(at..=at, abuse::NAMES.map(str::to_owned));
    }
    // The load runs on one thread, so that it never takes the servers' processor.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut table = Table::default();
    let wanted = |name: &str, by_default: bool| {
        if named.is_empty() {
            by_default
        } else {
            named.iter().any(|n| n == name)
        }
    };
    runtime.block_on(async {
        for (name, by_default) in MEASURES {
            if wanted(name, by_default) {
                eprintln!("{name} …");
                measure(name, &mut table).await;
            }
        }
    });
    let known: HashMap<_, _> = MEASURES.iter().copied().collect();
    for name in named
        .iter()
        .filter(|name| !known.contains_key(name.as_str()))
    {
        eprintln!(
            "there is no measure {name}; there are {}",
            MEASURES.map(|(name, _)| name).join(", ")
        );
    }
    print!("{table}");
}

/// The names of the measures, and whether each runs without being named.
const MEASURES: [(&str, bool); 16] = [
    ("snapshot", true),
    ("messages", true),
    ("members", true),
    ("deliveries", true),
    ("latency", true),
    ("memory", true),
    ("logins", true),
    ("passwords", true),
    ("start", false),
    ("versions", false),
    // The name `abuse` runs all of these.
    (abuse::NAMES[0], false),
    (abuse::NAMES[1], false),
    (abuse::NAMES[2], false),
    (abuse::NAMES[3], false),
    (abuse::NAMES[4], false),
    (abuse::NAMES[5], false),
];

async fn measure(name: &str, table: &mut Table) {
    match name {
        "snapshot" => snapshot::measure(table).await,
        "messages" => messages::senders(table).await,
        "members" => messages::members(table).await,
        "deliveries" => deliveries::measure(table).await,
        "latency" => latency::measure(table).await,
        "memory" => memory::measure(table).await,
        "logins" => logins::measure(table).await,
        "passwords" => passwords::measure(table).await,
        "start" => start::measure(table).await,
        "versions" => versions::measure(table).await,
        name if abuse::NAMES.contains(&name) => abuse::measure(name, table).await,
        _ => unreachable!("the names are those of the list"),
    }
}
