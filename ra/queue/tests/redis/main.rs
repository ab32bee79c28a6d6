//! The use of a real Redis server: Debian's, started here.

mod damage;
mod heartbeats;
mod limits;
mod outages;
mod security;
mod support;
mod wakeups;
