mod cost;
mod log;
