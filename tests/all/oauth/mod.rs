//! Apps, API keys, grants and tokens.

mod access_tokens;
mod acting_for;
mod api_key_creation;
mod api_key_notices;
mod api_keys;
mod approvals;
mod bots;
mod cascade;
mod channel_grants;
mod code_flow;
mod code_flow_input;
mod code_flow_pages;
mod cors;
pub mod device_flow;
mod introspection_access;
mod introspection_and_metadata;
mod oauth2_crate;
mod pending_approvals;
mod refresh;
mod refresh_retries;
mod resource_server;
