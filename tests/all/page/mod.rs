//! The web page in real Chromium.

mod accessibility;
mod apps_panel;
mod browsers_end;
mod coming_back;
mod connection;
mod consent_page;
mod cross_site;
mod device_page;
mod devices_panel;
mod first_minute;
mod focus;
pub mod main_job;
mod modules;
mod planted_cookies;
mod reading;
mod single_page_app;
mod writing;
mod zoom_and_colours;
