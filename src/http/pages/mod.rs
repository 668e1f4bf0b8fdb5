//! HTML pages and the files of the web client.

pub mod approval;
pub mod assets;
pub mod login;
pub mod login_qr_code;
pub mod template;
