//! Logins that take long.

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use tokio::task::JoinHandle;

use super::TestServer;

/// Keeps all hashing threads busy for about half a second, so that every later login must wait for
/// its turn.
pub async fn slow_password(server: &TestServer) -> Vec<JoinHandle<()>> {
    let slow = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        Params::new(19 * 1024, 60, 1, None).unwrap(),
    );
    let slow = slow
        .hash_password_with_salt(b"a slow password", b"0123456789abcdef")
        .unwrap()
        .to_string();
    server.create_session("slow").await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute(
            "UPDATE session SET password_hash = ?1 WHERE nick = 'slow'",
            [slow],
        )
        .unwrap();
    // This is the largest number of hashing threads.
    let busy = (0..4).map(|_| {
        let device = server.device();
        tokio::spawn(async move { drop(device.login("slow", "a wrong one").await) })
    });
    let busy = busy.collect();
    server.wait_for_metric("rejoin_passwords 4").await;
    busy
}
