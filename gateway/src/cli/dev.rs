//! `portreeve dev`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use portreeve_ra::{Role, Roles};
use serde::Serialize;

use super::serve::check_roles;
use super::target::{DEV_DATA_DIR, absolute};
use super::{CliError, Exit, Format, Surroundings, Table, ending};
use crate::config::{Override, RedisUrl};
use crate::dev::{DevAddresses, Settings, configuration, exposed};
use crate::installation::Mode;
use crate::running::{StartOptions, Substitutes, start};
use crate::signals::EndSignals;
use crate::telemetry::start_logs;
use crate::tour::{self, Enrolled};

/// Runs a whole gateway on this machine, for development and trials.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Where everything lies; made if absent, kept over restarts.
    #[arg(long, value_name = "DIR", default_value = DEV_DATA_DIR)]
    data_dir: PathBuf,
    /// Public HTTPS: ACME and EST. Port 0 picks a free port, and the same one again on a restart. Nodes without the role edge do
    /// not listen there; like the next one, give it to all nodes of an installation alike, since it stands in URLs.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Public HTTP: CRLs and CA certificates.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen_http: SocketAddr,
    /// The operator API over HTTPS.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8444")]
    listen_admin: SocketAddr,
    /// /livez, /readyz and /metrics.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    listen_management: SocketAddr,
    /// The database, in place of the embedded one: postgres://USER:PASSWORD@HOST:PORT/DATABASE. Several nodes share
    /// one; give them the same key encryption key with --set keyset.kek. A restart remembers both.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Allows addresses that are not loopback.
    #[arg(long)]
    insecure_public: bool,
    /// A Redis server that carries hints between nodes: redis://… or rediss://….
    #[arg(long, value_name = "URL")]
    redis: Option<RedisUrl>,
    /// What this node does, when several share a database: edge, worker, status, console. The first to start must be a
    /// worker and a console, since it makes the installation.
    #[arg(
        long,
        value_name = "ROLE",
        value_delimiter = ',',
        default_value = "edge,worker,status,console"
    )]
    roles: Vec<Role>,
    /// Any key of the configuration, or endpoint.PROTOCOL.NAME.KEY; VALUE is TOML, else text.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Enrols one certificate through each protocol, shows the result, and goes on serving.
    #[arg(long)]
    tour: bool,
}

/// A row of the tour's table.
#[derive(Debug, Serialize)]
struct Row {
    protocol: &'static str,
    operation: &'static str,
    serial: String,
    milliseconds: u128,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let data_dir = absolute(&arguments.data_dir)?;
    let settings = Settings::sort(given((arguments.database, arguments.redis), arguments.set));
    let addresses = DevAddresses {
        public: arguments.listen,
        http: arguments.listen_http,
        admin: arguments.listen_admin,
        management: arguments.listen_management,
    };
    let config = configuration(&data_dir, addresses, &settings.config)?;
    // Looked at after every --set: a listener that was added or moved by one counts as well.
    if !arguments.insecure_public
        && let Some(address) = exposed(&config).next()
    {
        return Err(CliError::Usage(format!(
            "{address} can be reached by others, and `dev` certifies whoever asks: \
             listen on 127.0.0.1, or add --insecure-public"
        )));
    }
    let roles: Roles = arguments.roles.into_iter().collect();
    check_roles(roles, &config)?;
    start_logs(&config.telemetry).map_err(|error| CliError::Failed(error.to_string()))?;
    let http_01_port = config.acme.validation.http_port;
    let mut signals = EndSignals::listen().map_err(CliError::Runtime)?;
    let mut running = start(StartOptions {
        config,
        mode: Mode::Dev,
        roles,
        endpoints: settings.endpoints,
        program: None,
        substitutes: Substitutes::default(),
    })
    .await?;
    let toured = tokio::select! {
        () = signals.asked() => Ok(Toured::Left),
        toured = tour(&running, http_01_port, arguments.tour.then_some(around)) => toured.map(|()| Toured::ToItsEnd),
    };
    let ended = match toured {
        Ok(Toured::ToItsEnd) => ending::awaited(&mut running, &mut signals).await,
        Ok(Toured::Left) => Ok(()),
        Err(failure) => Err(failure),
    };
    ending::stop(running, &mut signals).await?;
    ended.map(|()| Exit::Fine)
}

/// How the tour ended, if it did not fail.
enum Toured {
    /// All of it was shown, or none was asked for.
    ToItsEnd,
    /// The process was asked to end during it.
    Left,
}

/// What was given with --set, and before it the options that stand for a key.
fn given((database, redis): (Option<String>, Option<RedisUrl>), set: Vec<Override>) -> Vec<Override> {
    let database = database.map(|url| Override::text("database.url", &url, "--database"));
    let redis = match redis {
        Some(RedisUrl::Plain(text)) => Some(Override::text("redis.url", &text, "--redis")),
        Some(RedisUrl::Kept(_)) | None => None,
    };
    database.into_iter().chain(redis).chain(set).collect()
}

/// Takes the tour if it was asked for.
async fn tour(
    running: &crate::Running,
    http_01_port: u16,
    tour: Option<Surroundings>,
) -> Result<(), CliError> {
    match tour {
        Some(around) => take_tour(running, http_01_port, around).await,
        None => Ok(()),
    }
}

async fn take_tour(
    running: &crate::Running,
    http_01_port: u16,
    around: Surroundings,
) -> Result<(), CliError> {
    let Some(manifest) = running.manifest() else {
        return Ok(());
    };
    let enrolled = tour::take(manifest, http_01_port)
        .await
        .map_err(|error| CliError::Failed(format!("tour: {error}")))?;
    let rows: Vec<Row> = enrolled.into_iter().map(row).collect();
    around.output.show(&rows, |rows| {
        let mut table = Table::new(["PROTOCOL", "OPERATION", "SERIAL", "MILLISECONDS"]);
        for row in rows {
            let cells = [
                row.protocol,
                row.operation,
                &row.serial,
                &row.milliseconds.to_string(),
            ];
            table.row(cells.map(str::to_owned));
        }
        table
    })?;
    if around.output.format() == Format::Table {
        around
            .output
            .text(&format!("\n{}", tour::commands(manifest, http_01_port)))?;
        around.output.text("\nServing; end with Ctrl-C.\n")?;
    }
    Ok(())
}

fn row(enrolled: Enrolled) -> Row {
    Row {
        protocol: enrolled.protocol,
        operation: enrolled.operation,
        serial: enrolled.serial,
        milliseconds: enrolled.took.as_millis(),
    }
}
