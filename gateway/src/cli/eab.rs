//! `portreeve eab create|list|revoke`.

use clap::{Args, Subcommand};
use portreeve_console::{List, MadeSecretView, NewEabKeyBody, ReasonBody, SecretView};

use super::paging::Paging;
use super::registration::{print_made, secrets_table as table, time};
use super::request::{parameter, segment};
use super::{CliError, Exit, Surroundings, Target};

/// External account keys of ACME.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a key of a registration and prints it, this once.
    Create {
        /// The registration, by name or id.
        registration: String,
        /// How many accounts it may bind; one when absent.
        #[arg(long, value_name = "COUNT", conflicts_with = "unlimited")]
        accounts: Option<u32>,
        /// It may bind any number of accounts.
        #[arg(long)]
        unlimited: bool,
        /// After this it binds no account: a time, or a duration from now such as 7d.
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lists keys, the newest first; none of them is shown.
    List {
        /// Only those of this registration, by name or id.
        #[arg(long)]
        registration: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Refuses a key from now on; the accounts it bound get no more certificates.
    Revoke {
        /// The id of the key.
        id: String,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let (client, output) = (arguments.target.client()?, around.output);
    match arguments.verb {
        Verb::Create {
            registration,
            accounts,
            unlimited,
            until,
            reason,
        } => {
            let body = NewEabKeyBody {
                registration,
                accounts,
                unlimited,
                until: until.as_deref().map(time).transpose()?,
                reason,
            };
            let made: MadeSecretView = client.post("/api/v1/eab-keys", &body).await?;
            print_made(&made, output)?;
        }
        Verb::List { registration, paging } => {
            let registration = registration.map(|name| parameter("registration", &name));
            let path = paging.of("/api/v1/eab-keys", registration);
            let found: List<SecretView> = client.read(&path).await?;
            output.show(&found, |found| table(found, output))?;
        }
        Verb::Revoke { id, reason } => {
            let path = format!("/api/v1/eab-keys/{}/revoke", segment(&id)?);
            let found: SecretView = client.post(&path, &ReasonBody { reason }).await?;
            let found = List {
                items: vec![found],
                next_cursor: None,
            };
            output.show(&found, |found| table(found, output))?;
        }
    }
    Ok(Exit::Fine)
}
