//! Limits: what the server does not allow too often, too fast or in too large a number.

mod app_secret_guesses;
mod channel_key_guesses;
mod flood;
mod hostile_connections;
mod log_lines;
mod login_storm;
mod password_guesses;
mod proxied_requests;
mod rate_limits;
mod slow_readers;
mod storage_limit;
