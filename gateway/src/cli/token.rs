//! `portreeve token create|list|revoke` and `portreeve whoami`.

use clap::{Args, Subcommand};
use portreeve_console::{List, TokenBody, TokenMade, TokenView, WhoAmI};

use super::paging::Paging;
use super::request::{parameter, segment};
use super::waiting::also_waits;
use super::{CliError, Exit, Format, Output, Surroundings, Table, Target, Tone, beginning};

/// Tokens: what programs sign in with.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a token and prints it: it is not shown again.
    Create {
        /// Whose; your own if left out.
        #[arg(long)]
        operator: Option<String>,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
        /// A right it is limited to, such as request.read; any number of times.
        #[arg(long = "scope", required = true)]
        scopes: Vec<String>,
        /// The client certificate it is bound to: SHA-256 of its SubjectPublicKeyInfo, in hex. Some rights need it.
        #[arg(long, value_name = "HEX")]
        bound_to: Option<String>,
        /// How long it is good, such as 30d; at most 366d.
        #[arg(long, default_value = "90d", value_parser = seconds)]
        expires_in: u64,
    },
    /// Lists tokens, the newest first.
    List {
        /// Whose; your own if left out, on the host all.
        #[arg(long)]
        operator: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Refuses a token from now on.
    Revoke {
        /// Its id.
        id: String,
    },
}

/// Says who you are to the gateway, and what you may do.
#[derive(Debug, Args)]
pub(super) struct WhoAmIArguments {
    #[command(flatten)]
    target: Target,
}

fn seconds(text: &str) -> Result<u64, String> {
    let lifetime = portreeve_pkix::duration::parse(text).map_err(|error| error.to_string())?;
    Ok(lifetime.as_secs())
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let (client, output) = (arguments.target.client()?, around.output);
    match arguments.verb {
        Verb::Create {
            operator,
            label,
            scopes,
            bound_to,
            expires_in,
        } => {
            let body = TokenBody {
                operator,
                label,
                scopes,
                bound_to,
                expires_in: Some(expires_in),
            };
            let made: TokenMade = client.post("/api/v1/tokens", &body).await?;
            match output.format() {
                Format::Json => output.json(&made)?,
                Format::Table => output.text(&format!("{}\n", made.token))?,
            }
            also_waits(made.proposal.as_deref(), output)?;
        }
        Verb::List { operator, paging } => {
            let operator = operator.map(|name| parameter("operator", &name));
            let path = paging.of("/api/v1/tokens", operator);
            let found: List<TokenView> = client.read(&path).await?;
            output.show(&found, |found| table(&found.items, output))?;
        }
        Verb::Revoke { id } => {
            client
                .delete(&format!("/api/v1/tokens/{}", segment(&id)?), None)
                .await?;
            output.text(&format!("token {id} is revoked\n"))?;
        }
    }
    Ok(Exit::Fine)
}

fn table(found: &[TokenView], output: Output) -> Table {
    let mut table = Table::new(["ID", "OPERATOR", "LABEL", "STATE", "SCOPES", "BOUND", "UNTIL"]);
    for token in found {
        let tone = if token.state == "live" {
            Tone::Good
        } else {
            Tone::Bad
        };
        table.row([
            token.id.clone(),
            token.operator.clone(),
            beginning(&token.label),
            output.tone(&token.state, tone),
            beginning(&token.scopes.join(", ")),
            if token.bound_to.is_some() { "yes" } else { "no" }.to_owned(),
            token.until.map(|until| until.to_string()).unwrap_or_default(),
        ]);
    }
    table
}

pub(super) async fn who(arguments: WhoAmIArguments, around: Surroundings) -> Result<Exit, CliError> {
    let found: WhoAmI = arguments.target.client()?.read("/api/v1/whoami").await?;
    let output = around.output;
    output.fields(&found, |found| {
        vec![
            ("principal", found.principal.clone()),
            ("by", found.method.clone()),
            ("roles", found.roles.join(", ")),
            ("teams", found.teams.join(", ")),
            ("rights", found.rights.join(", ")),
        ]
    })?;
    Ok(Exit::Fine)
}
