//! The session: how it is created, joined from other devices, protected and ended.

mod change_password_url;
mod client_addresses;
mod create_and_end;
mod cross_site_navigation;
mod devices;
mod expiry;
mod expiry_warnings;
mod login;
mod passwords;
mod races;
mod several_cookies;
mod two_servers_on_one_host;
