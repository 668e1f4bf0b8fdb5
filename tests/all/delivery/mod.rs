//! How a client reads its queue: polls, streams and WebSockets.

mod delivery_modes;
mod poll_and_stream;
mod retention;
mod websocket;
mod websocket_frames;
