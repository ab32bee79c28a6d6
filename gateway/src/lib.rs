//! Portreeve: PKI protocol gateway and Registration Authority.
//!
//! This crate is the only place that names concrete types: it reads the configuration, opens the installation, wires
//! store, keys, CAs and edges together, listens, and offers the command line. [`start`] runs a gateway in a process;
//! the `portreeve` program is [`cli::main`].

pub mod admin;
pub mod audit;
pub mod authorities;
pub mod backends;
pub mod cli;
pub mod config;
pub mod control;
pub mod data_dir;
pub mod dev;
pub mod doctor;
pub mod edges;
#[cfg(feature = "failpoints")]
pub mod failpoints;
pub mod health;
pub mod installation;
pub mod intake;
pub mod issuers;
pub mod listener;
pub mod management;
pub mod names;
pub mod operator_api;
pub mod own_certificate;
pub mod queue;
pub mod router;
pub mod running;
pub mod signals;
pub mod telemetry;
pub mod tour;
pub mod wiring;
pub mod workbench;
pub mod worker;

pub use config::Config;
pub use control::{ClientError, ControlClient, Done, HttpsCredential, HttpsOptions, OnlyIf};
pub use dev::{DevAddresses, Manifest, Settings, configuration as dev_configuration, manifest_path};
pub use installation::Mode;
pub use running::{DrainOutcome, DutyEnded, Running, StartError, StartOptions, Substitutes, start};
