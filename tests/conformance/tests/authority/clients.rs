//! Clients that are no accounts: known by passwords, tokens and certificates, what they may renew, keys made for them.

mod certificates;
mod generated;
mod passwords;
mod renewal;
mod roles;
mod support;
mod trusted;

use super::*;
use support::*;
