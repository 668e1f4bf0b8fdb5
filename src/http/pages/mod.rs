//! HTML pages and the files of the web client.

pub mod assets;
pub mod consent;
pub mod decision;
pub mod device;
pub mod login;
pub mod login_qr_code;
pub mod template;
