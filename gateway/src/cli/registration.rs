//! `portreeve registration create|update|list|show|suspend|resume|confirm|end|import|secret`.

mod import;
mod secret;
mod update;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use portreeve_console::{List, ReasonBody, RegistrationBody, RegistrationView};
use portreeve_pkix::{Timestamp, duration};
use portreeve_queue::SystemClock;
use portreeve_ra::ports::Clock;

use super::paging::Paging;
use super::request::parameter;
use super::waiting::done;
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, beginning, plain};

pub(super) use secret::{print_made, table as secrets_table};

/// End entities that are known beforehand.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Creates a registration.
    Create(Box<Creation>),
    /// Changes what is given; the rest stays. Its name cannot be changed.
    Update(Box<update::Arguments>),
    /// Lists registrations, the newest first.
    List {
        /// Only those whose name contains this.
        #[arg(long)]
        name: Option<String>,
        /// Only those of this team.
        #[arg(long)]
        team: Option<String>,
        /// Only those in this state: active, pending, suspended or ended.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a registration.
    Show {
        /// Its name or id.
        registration: String,
    },
    /// Lets nothing be issued for it, until it is resumed.
    Suspend(Change),
    /// Ends a suspension.
    Resume(Change),
    /// Agrees to what another person made it.
    Confirm(Change),
    /// Ends it for good.
    End(Change),
    /// Creates registrations from a CSV file: all of it, or nothing when a line is refused.
    Import {
        /// The file. Its first line names the columns: name, names, any_name, wildcards, vouched, profiles, endpoints,
        /// team, owner, certificates_max, over_limit, until. Items of a list are separated by spaces.
        file: PathBuf,
        /// Only says what would become of each line.
        #[arg(long)]
        dry_run: bool,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "portreeve registration import")]
        reason: String,
    },
    /// Makes, lists and revokes secrets of a registration.
    Secret(secret::Arguments),
}

#[derive(Debug, Args)]
struct Creation {
    /// Its name.
    name: String,
    /// A name it may be certified for: a DNS name, an IP address, or .example.com for all names below it.
    #[arg(long = "allow", value_name = "NAME")]
    allow: Vec<String>,
    /// Any name that the profile allows, in place of a list.
    #[arg(long, conflicts_with = "allow")]
    any_name: bool,
    /// Wildcard names lie below a listed domain as well.
    #[arg(long)]
    wildcards: bool,
    /// Control over the listed names is taken as shown: no challenge is asked for.
    #[arg(long, requires = "allow")]
    vouched: bool,
    /// A profile it may use; without any, all of the endpoint.
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// An endpoint it may use, such as acme/default; without any, all.
    #[arg(long = "endpoint", value_name = "NAME")]
    endpoints: Vec<String>,
    /// The team that owns it.
    #[arg(long)]
    team: Option<String>,
    /// On whose behalf it asks: operator:NAME.
    #[arg(long)]
    owner: Option<String>,
    /// Certificates it may have at once.
    #[arg(long, value_name = "COUNT")]
    certificates_max: Option<u32>,
    /// What happens over that limit.
    #[arg(long, value_enum)]
    over_limit: Option<Over>,
    /// After this nothing is issued for it: a time, or a duration from now such as 90d.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Why; it goes into the audit log.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Over {
    /// The new request is refused.
    RefuseNew,
    /// The oldest certificate is revoked when the new one has been issued.
    RevokeOldest,
}

impl Over {
    const fn as_str(self) -> &'static str {
        match self {
            Self::RefuseNew => "refuse-new",
            Self::RevokeOldest => "revoke-oldest",
        }
    }
}

#[derive(Debug, Args)]
struct Change {
    /// Its name or id.
    registration: String,
    /// Why; it goes into the audit log.
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let (client, output) = (arguments.target.client()?, around.output);
    let (verb, change) = match arguments.verb {
        Verb::Create(creation) => {
            let body = body(*creation)?;
            if let Some(found) = done(client.ask("/api/v1/registrations", &body).await?, output)? {
                show(&found, output)?;
            }
            return Ok(Exit::Fine);
        }
        Verb::Update(arguments) => return update::run(&client, *arguments, output).await,
        Verb::List {
            name,
            team,
            state,
            paging,
        } => {
            let given = [("name", name), ("team", team), ("state", state)];
            let further = given
                .into_iter()
                .filter_map(|(key, value)| value.map(|value| parameter(key, &value)));
            let path = paging.of("/api/v1/registrations", further);
            let found: List<RegistrationView> = client.read(&path).await?;
            output.show(&found, |found| table(found, output))?;
            return Ok(Exit::Fine);
        }
        Verb::Show { registration } => {
            let found: RegistrationView = client.read(&path(&registration)).await?;
            show(&found, output)?;
            return Ok(Exit::Fine);
        }
        Verb::Import {
            file,
            dry_run,
            reason,
        } => {
            return import::run(&client, (&file, dry_run, &reason), output).await;
        }
        Verb::Secret(arguments) => return secret::run(&client, arguments, output).await,
        Verb::Suspend(change) => ("suspend", change),
        Verb::Resume(change) => ("resume", change),
        Verb::Confirm(change) => ("confirm", change),
        Verb::End(change) => ("end", change),
    };
    let reason = ReasonBody {
        reason: change.reason,
    };
    let path = format!("{}/{verb}", path(&change.registration));
    if let Some(found) = done(client.ask(&path, &reason).await?, output)? {
        show(&found, output)?;
    }
    Ok(Exit::Fine)
}

fn body(creation: Creation) -> Result<RegistrationBody, CliError> {
    let over_limit = creation.over_limit.map(Over::as_str);
    Ok(RegistrationBody {
        name: creation.name,
        names: creation.allow,
        any_name: creation.any_name,
        wildcards: creation.wildcards,
        vouched: creation.vouched,
        profiles: creation.profiles,
        endpoints: creation.endpoints,
        team: creation.team,
        owner: creation.owner,
        certificates_max: creation.certificates_max,
        over_limit: over_limit.map(str::to_owned),
        until: creation.until.as_deref().map(time).transpose()?,
        reason: creation.reason,
    })
}

/// A time as RFC 3339 has it, or as long from now.
pub(super) fn time(text: &str) -> Result<Timestamp, CliError> {
    if let Ok(at) = Timestamp::parse_rfc3339(text) {
        return Ok(at);
    }
    let from_now: Option<Duration> = duration::parse(text).ok();
    from_now
        .map(|duration| SystemClock.now().saturating_add(duration))
        .ok_or_else(|| {
            CliError::Usage(format!(
                "{text} is neither a time such as 2030-01-31T00:00:00Z nor a duration such as 90d"
            ))
        })
}

/// The path of a registration, by name or id.
fn path(registration: &str) -> String {
    format!("/api/v1/registrations/{}", encoded(registration))
}

/// Any text as one part of a path.
fn encoded(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_~".contains(&octet) {
            part.push(char::from(octet));
        } else {
            part.push_str(&format!("%{octet:02X}"));
        }
    }
    part
}

fn show(found: &RegistrationView, output: Output) -> Result<(), CliError> {
    Ok(output.fields(found, |found| fields(found, output))?)
}

fn fields(found: &RegistrationView, output: Output) -> Vec<(&'static str, String)> {
    let listed = |items: &[String], otherwise: &str| {
        if items.is_empty() {
            otherwise.to_owned()
        } else {
            plain(&items.join(", "))
        }
    };
    let names = if found.any_name { "any" } else { "none" };
    let limit = found.certificates_max.map_or_else(
        || "none".to_owned(),
        |max| format!("{max} certificates at once, then {}", found.over_limit),
    );
    let mut lines = vec![
        ("registration", plain(&found.name)),
        ("id", found.id.clone()),
        ("state", output.tone(&found.state, tone(&found.state))),
        ("version", found.version.to_string()),
        ("names", listed(&found.names, names)),
        ("wildcards", yes(found.wildcards)),
        ("vouched", yes(found.vouched)),
        ("profiles", listed(&found.profiles, "all of the endpoint")),
        ("endpoints", listed(&found.endpoints, "all")),
        ("limit", limit),
    ];
    lines.extend(found.team.clone().map(|team| ("team", team)));
    lines.extend(found.owner.clone().map(|owner| ("owner", owner)));
    lines.extend(found.until.map(|until| ("until", until.to_string())));
    lines.extend(
        found
            .proposal
            .clone()
            .map(|id| ("waits for", format!("approval {id}"))),
    );
    if !found.unconfirmed_authors.is_empty() {
        lines.push(("unconfirmed", found.unconfirmed_authors.join(", ")));
    }
    lines
}

fn table(found: &List<RegistrationView>, output: Output) -> Table {
    let mut table = Table::new(["NAME", "STATE", "TEAM", "NAMES", "VOUCHED", "UNTIL", "ID"]);
    for row in &found.items {
        let names = if row.any_name {
            "any".to_owned()
        } else {
            beginning(&row.names.join(" "))
        };
        table.row([
            beginning(&row.name),
            output.tone(&row.state, tone(&row.state)),
            row.team.clone().unwrap_or_default(),
            names,
            yes(row.vouched),
            row.until.map(|until| until.to_string()).unwrap_or_default(),
            row.id.clone(),
        ]);
    }
    table
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn tone(state: &str) -> Tone {
    match state {
        "active" => Tone::Good,
        "suspended" | "pending" => Tone::Warning,
        "ended" | "expired" => Tone::Bad,
        _ => Tone::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_part_of_a_path() {
        assert_eq!(encoded("web-1"), "web-1");
        assert_eq!(encoded("../a b?/ü"), "%2E%2E%2Fa%20b%3F%2F%C3%BC");
    }

    #[test]
    fn times() {
        let at = time("2030-01-31T00:00:00Z").unwrap();
        assert_eq!(at, Timestamp::parse_rfc3339("2030-01-31T00:00:00Z").unwrap());
        assert!(time("90d").unwrap() > SystemClock.now());
        assert!(time("tomorrow").is_err());
    }
}
