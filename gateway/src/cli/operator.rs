//! `portreeve operator list|show|create|confirm|disable|enable|remove|set-password|certificate|bootstrap`.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portreeve_console::{
    BootstrapView, CertificateBody, CertificateNamed, List, OperatorView, PasswordBody, Publication,
    ReasonBody,
};

use super::waiting::{also_waits, done};
use super::{CliError, Exit, Format, Output, Surroundings, Table, Target, Tone, plain};
use crate::control::{ControlClient, OnlyIf};

/// Operators: who may sign in, and as what.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists operators.
    List,
    /// Shows an operator.
    Show {
        /// Their name.
        name: String,
    },
    /// Makes an operator.
    Create {
        /// Their name.
        name: String,
        /// What they are called.
        #[arg(long, default_value = "")]
        title: String,
        /// A role they hold; any number of times.
        #[arg(long = "role")]
        roles: Vec<String>,
        /// A team they are in; any number of times.
        #[arg(long = "team")]
        teams: Vec<String>,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Agrees to the version of an operator's text that is in force: its authors no longer count as unconfirmed.
    Confirm {
        /// Their name.
        name: String,
        /// The number of the version.
        number: u32,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Keeps an operator from signing in.
    Disable(Switch),
    /// Lets an operator sign in again.
    Enable(Switch),
    /// Removes an operator.
    Remove {
        /// Their name.
        name: String,
    },
    /// Gives an operator a password: read from the standard input, or from a file.
    SetPassword {
        /// Their name.
        name: String,
        /// The file that holds it, in its first line.
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
    /// Lets an operator sign in with one more client certificate of the management CA.
    Certificate {
        /// Their name.
        name: String,
        /// The certificate, PEM.
        #[arg(long, value_name = "FILE", conflicts_with = "csr")]
        cert_file: Option<PathBuf>,
        /// A certification request, PEM, for which the management CA issues one; it is printed.
        #[arg(long, value_name = "FILE")]
        csr: Option<PathBuf>,
    },
    /// Makes a one-time credential on this host, with which an operator sets a password or names a certificate. The first
    /// operator comes from here: one who does not exist becomes a superadmin.
    Bootstrap {
        /// Their name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct Switch {
    /// Their name.
    name: String,
    /// Why; it goes into the audit log.
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let (client, output) = (arguments.target.client()?, around.output);
    match arguments.verb {
        Verb::List => {
            let found: List<OperatorView> = client.read(OPERATORS).await?;
            output.show(&found, |found| table(&found.items, output))?;
        }
        Verb::Show { name } => show(&client.read(&of(&name, "")?).await?, output)?,
        Verb::Create {
            name,
            title,
            roles,
            teams,
            reason,
        } => {
            let body = text(title, roles, teams);
            let publication = Publication {
                name,
                body,
                reason,
                check: false,
            };
            if let Some(made) = done(client.ask(OPERATORS, &publication).await?, output)? {
                show(&made, output)?;
            }
        }
        Verb::Confirm { name, number, reason } => {
            let path = of(&name, &format!("/versions/{number}/confirm"))?;
            show(&client.post(&path, &ReasonBody { reason }).await?, output)?;
        }
        Verb::Disable(switch) => switched(&client, "/disable", (switch, output)).await?,
        Verb::Enable(switch) => switched(&client, "/enable", (switch, output)).await?,
        Verb::Remove { name } => {
            let found: OperatorView = client.read(&of(&name, "")?).await?;
            client
                .delete(&of(&name, "")?, Some(OnlyIf(found.version)))
                .await?;
            output.text(&format!("operator {name} was removed\n"))?;
        }
        Verb::SetPassword { name, from } => {
            let password = secret_line(from.as_deref())?;
            let body = PasswordBody { password };
            let path = of(&name, "/password")?;
            if let Some(()) = done(client.ask_to_put(&path, (&body, None)).await?, output)? {
                output.text(&format!("operator {name} has a new password\n"))?;
            }
        }
        Verb::Certificate { name, cert_file, csr } => {
            let body = CertificateBody {
                spki: None,
                certificate: cert_file.as_deref().map(read).transpose()?,
                request: csr.as_deref().map(read).transpose()?,
            };
            let named: CertificateNamed = client.post(&of(&name, "/certificates")?, &body).await?;
            match (&named.certificate, output.format()) {
                (Some(certificate), Format::Table) => output.text(certificate)?,
                (None, Format::Table) if named.proposal.is_none() => {
                    output.text(&format!(
                        "operator {name} signs in with key {}\n",
                        named.key_sha256
                    ))?;
                }
                (None, Format::Table) => {}
                (_, Format::Json) => output.json(&named)?,
            }
            also_waits(named.proposal.as_deref(), output)?;
        }
        Verb::Bootstrap { name } => {
            let made: BootstrapView = client
                .post(&of(&name, "/bootstrap")?, &ReasonBody::default())
                .await?;
            bootstrapped(&made, output)?;
        }
    }
    Ok(Exit::Fine)
}

const OPERATORS: &str = "/api/v1/operators";

fn of(name: &str, below: &str) -> Result<String, CliError> {
    Ok(format!("{OPERATORS}/{}{below}", object_name(name)?))
}

/// A part of a path: the name of an object, nothing that could change the path.
pub(super) fn object_name(text: &str) -> Result<&str, CliError> {
    let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.@".contains(&octet);
    if !text.is_empty() && text.bytes().all(legal) && !text.starts_with('.') {
        return Ok(text);
    }
    Err(CliError::Usage(format!("{text} is not a name")))
}

fn text(title: String, roles: Vec<String>, teams: Vec<String>) -> String {
    let words = |words: Vec<String>| toml::Value::Array(words.into_iter().map(toml::Value::String).collect());
    let mut table = toml::Table::new();
    if !title.is_empty() {
        table.insert("title".to_owned(), toml::Value::String(title));
    }
    table.insert("roles".to_owned(), words(roles));
    table.insert("teams".to_owned(), words(teams));
    table.to_string()
}

async fn switched(
    client: &ControlClient,
    verb: &str,
    (switch, output): (Switch, Output),
) -> Result<(), CliError> {
    let body = ReasonBody {
        reason: switch.reason,
    };
    match done(client.ask(&of(&switch.name, verb)?, &body).await?, output)? {
        Some(operator) => show(&operator, output),
        None => Ok(()),
    }
}

fn show(operator: &OperatorView, output: Output) -> Result<(), CliError> {
    Ok(output.fields(operator, |operator| fields(operator, output))?)
}

fn fields(operator: &OperatorView, output: Output) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("operator", operator.name.clone()),
        ("title", plain(&operator.title)),
        ("state", state(operator, output)),
        ("roles", operator.roles.join(", ")),
        ("teams", operator.teams.join(", ")),
        (
            "password",
            if operator.has_password { "set" } else { "none" }.to_owned(),
        ),
        ("version", operator.version.to_string()),
    ];
    lines.extend(
        operator
            .certificates
            .iter()
            .map(|one| ("certificate", plain(one))),
    );
    if !operator.unconfirmed_authors.is_empty() {
        let authors = operator.unconfirmed_authors.join(", ");
        lines.push(("unconfirmed", plain(&authors)));
    }
    lines
}

fn state(operator: &OperatorView, output: Output) -> String {
    match operator.disabled {
        true => output.tone("disabled", Tone::Bad),
        false => output.tone("enabled", Tone::Good),
    }
}

fn table(found: &[OperatorView], output: Output) -> Table {
    let mut table = Table::new(["NAME", "STATE", "ROLES", "TEAMS", "PASSWORD", "CERTIFICATES"]);
    for operator in found {
        table.row([
            operator.name.clone(),
            state(operator, output),
            operator.roles.join(", "),
            operator.teams.join(", "),
            if operator.has_password { "set" } else { "none" }.to_owned(),
            operator.certificates.len().to_string(),
        ]);
    }
    table
}

fn bootstrapped(made: &BootstrapView, output: Output) -> Result<(), CliError> {
    if output.format() == Format::Json {
        return Ok(output.json(made)?);
    }
    if let (Some(file), Some(until)) = (&made.file, made.until) {
        let (name, file) = (&made.operator, file.display());
        output.text(&format!(
            "{file} holds a one-time credential for operator {name}, good until {until}.\n\
             With it set a password:\n  portreeve operator set-password {name} --url https://… --ca … --token-file {file}\n\
             or have a certificate issued:\n  portreeve operator certificate {name} --csr … --url https://… --ca … --token-file {file}\n",
        ))?;
    }
    also_waits(made.proposal.as_deref(), output)?;
    if made.file.is_none() {
        output.text("run this command again once the operator is approved\n")?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(CliError::file(path))
}

/// A secret in the first line of a file or of the standard input.
pub(super) fn secret_line(path: Option<&Path>) -> Result<String, CliError> {
    let line = match path {
        Some(path) => read(path)?.lines().next().unwrap_or_default().to_owned(),
        None => {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                let advice = "the terminal would show it: give --from FILE, or pipe it in";
                return Err(CliError::Usage(advice.to_owned()));
            }
            let mut line = String::new();
            stdin.lock().read_line(&mut line)?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        }
    };
    if line.is_empty() {
        return Err(CliError::Usage("the first line is empty".to_owned()));
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_change_the_path() {
        for name in ["alice", "a@b.c", "a-b_c"] {
            assert_eq!(object_name(name).unwrap(), name);
        }
        for name in ["", "..", "a/b", "a?b", "a b", "a%2f"] {
            assert!(object_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn texts_read_as_operators() {
        let body = text("A \"B\"".to_owned(), vec!["approver".to_owned()], Vec::new());
        let operator = portreeve_policies::parse_operator("a", &body).unwrap();
        assert_eq!((operator.title.as_str(), operator.roles.len()), ("A \"B\"", 1));
    }
}
