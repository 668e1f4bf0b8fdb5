//! The example programs, run as the documentation says.

mod python_programs;
mod snippets;
mod terminal;
