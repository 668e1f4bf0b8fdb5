//! The one integration binary: everything over real HTTP, on ports the system picks.

mod support;

mod sessions;
