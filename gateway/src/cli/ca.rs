//! `portreeve ca create|list|export|operator`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use portreeve_pkix::{CertificationRequest, DistinguishedName, pem};
use portreeve_ra::{Actor, OperatorName, Principal, Roles};
use portreeve_signer::SoftKeyAlgorithm;
use portreeve_store::SchemaStatus;

use super::{CliError, Exit, Surroundings, Table, Target};
use crate::authorities::{Authorities, AuthorityView, NewAuthority, Rank};
use crate::backends::Backends;
use crate::config::Config;
use crate::installation::{self, Installation, Mode, SignerProgram};
use crate::wiring::Shared;

/// Certificate authorities. To create one, the gateway must not be running: its store or its signer is
/// locked then.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a CA: key and certificate. Makes the installation too, if there is none yet.
    ///
    /// `serve` needs three: a root, an issuing CA below it, and a management CA for the gateway's own TLS certificate.
    Create {
        /// What kind.
        rank: RankArgument,
        /// Its name; the kind if left out.
        #[arg(long)]
        name: Option<String>,
        /// Its distinguished name, such as "CN=Example Issuing CA,O=Example".
        #[arg(long)]
        subject: String,
        /// The kind of its key: P-256, P-384, RSA-2048, RSA-3072, RSA-4096, Ed25519.
        #[arg(long, default_value = "P-256")]
        key: SoftKeyAlgorithm,
        /// How long its certificate lives, such as 3650d; 20 years for a root, else 10.
        #[arg(long, value_parser = lifetime)]
        lifetime: Option<Duration>,
        /// The CA that signs an issuing CA.
        #[arg(long, default_value = "root")]
        parent: String,
    },
    /// Lists the CAs.
    List,
    /// Prints the certificate of a CA and those above it, PEM: what clients are to trust, for example.
    Export {
        /// Its name.
        name: String,
        /// Only the certificate at the top.
        #[arg(long)]
        root: bool,
    },
    /// Issues the client certificate of an operator with the management CA, and prints it, PEM: where no node is worker and
    /// console at once, whose `portreeve operator certificate --csr` does this and names it as well.
    ///
    /// It lets nobody in before `portreeve operator certificate NAME --cert-file FILE` has named it.
    Operator {
        /// Their name.
        name: String,
        /// Their certification request, PEM.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
    },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
enum RankArgument {
    Root,
    Issuing,
    Management,
}

fn lifetime(text: &str) -> Result<Duration, String> {
    portreeve_pkix::duration::parse(text).map_err(|error| error.to_string())
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let config = arguments.target.configuration()?;
    let client = arguments.target.client()?;
    if let Verb::Operator { name, csr } = &arguments.verb {
        let text = certify(&arguments.target, &config, (name, csr)).await?;
        around.output.text(&text)?;
        return Ok(Exit::Fine);
    }
    let exported = match &arguments.verb {
        Verb::Export { name, root } => Some((name.clone(), *root)),
        Verb::Create { .. } | Verb::List | Verb::Operator { .. } => None,
    };
    let found: Vec<AuthorityView> = match (client.is_running().await, arguments.verb) {
        (true, Verb::List | Verb::Export { .. }) => client.read("/api/v1/authorities").await?,
        (true, Verb::Create { .. } | Verb::Operator { .. }) => {
            return Err(locked("stop it, then repeat this command"));
        }
        (false, Verb::List | Verb::Export { .. }) if is_empty(&config).await? => Vec::new(),
        (false, verb) => {
            let installation = open(&config, mode(&arguments.target)).await?;
            let done = act(&installation, verb).await;
            installation.store.close().await;
            done?
        }
    };
    if let Some((name, root)) = exported {
        around.output.text(&export(&found, &name, root)?)?;
        return Ok(Exit::Fine);
    }
    around.output.show(&found, |found| {
        let mut table = Table::new(["NAME", "SUBJECT", "ISSUER", "KEY", "SERIAL", "NOT AFTER"]);
        for row in found {
            let not_after = row.not_after.to_string();
            let cells = [
                &row.name,
                &row.subject,
                &row.issuer,
                &row.key,
                &row.serial,
                &not_after,
            ];
            table.row(cells.map(Clone::clone));
        }
        table
    })?;
    Ok(Exit::Fine)
}

/// The certificates of the CA with this name.
fn export(found: &[AuthorityView], name: &str, root: bool) -> Result<String, CliError> {
    const BEGIN: &str = "-----BEGIN";
    let authority = found.iter().find(|authority| authority.name == name);
    let missing = || {
        CliError::Failed(format!(
            "there is no CA named {name}: `portreeve ca list` shows them"
        ))
    };
    let chain = &authority.ok_or_else(missing)?.chain;
    let top = chain.rfind(BEGIN).filter(|_| root).unwrap_or(0);
    Ok(chain.get(top..).unwrap_or(chain).to_owned())
}

/// Whether there is no installation yet. Looking makes none.
async fn is_empty(config: &Config) -> Result<bool, CliError> {
    let status = config.database.store(config.data_dir())?.status().await;
    let status = status.map_err(|error| CliError::Failed(error.to_string()))?;
    Ok(status == SchemaStatus::Empty)
}

/// A running gateway has what this command needs for itself.
fn locked(advice: &str) -> CliError {
    CliError::Failed(format!(
        "the gateway is running and has its store or its signer locked: {advice}"
    ))
}

const fn mode(target: &Target) -> Mode {
    match target.config {
        Some(_) => Mode::Create,
        None => Mode::Dev,
    }
}

/// The certificate of an operator for the key of a request, PEM.
async fn certify(target: &Target, config: &Config, (name, csr): (&str, &Path)) -> Result<String, CliError> {
    let name = OperatorName::new(name).map_err(|error| CliError::Usage(error.to_string()))?;
    if target.client()?.is_running().await {
        return Err(locked(
            "ask it with `portreeve operator certificate NAME --csr FILE`",
        ));
    }
    let request = read_request(csr)?;
    if is_empty(config).await? {
        return Err(CliError::Failed(
            "there is no installation yet: `portreeve ca create` makes one".to_owned(),
        ));
    }
    let installation = open(config, mode(target)).await?;
    let library = Shared::new(installation.clone()).authority(Backends::new());
    let authorities = Authorities {
        installation: &installation,
        objects: library.objects(),
    };
    let issued = async {
        let management = authorities.management().await?;
        management
            .issue_operator(&name, request.public_key().clone())
            .await
    };
    let issued = issued.await;
    installation.store.close().await;
    let issued = issued.map_err(crate::StartError::from)?;
    Ok(pem::encode("CERTIFICATE", issued.der()))
}

/// A certification request whose sender holds its key.
fn read_request(path: &Path) -> Result<CertificationRequest, CliError> {
    const LABEL: &str = "CERTIFICATE REQUEST";
    let content = |reason: String| CliError::Content {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
    let blocks = pem::decode_all(LABEL, &text).map_err(|error| content(error.to_string()))?;
    let der = blocks.into_iter().next();
    let der = der.ok_or_else(|| content(format!("it holds no {LABEL}")))?;
    let request = CertificationRequest::from_der(&der).map_err(|error| content(error.to_string()))?;
    request
        .verify_possession()
        .map_err(|error| content(error.to_string()))?;
    Ok(request)
}

async fn open(config: &Config, mode: Mode) -> Result<Installation, CliError> {
    let program = SignerProgram::own().map_err(crate::StartError::from)?;
    Ok(installation::open(config, (mode, Roles::ALL), &program)
        .await
        .map_err(crate::StartError::from)?)
}

async fn act(installation: &Installation, verb: Verb) -> Result<Vec<AuthorityView>, CliError> {
    let library = Shared::new(installation.clone()).authority(Backends::new());
    let authorities = Authorities {
        installation,
        objects: library.objects(),
    };
    let found = match verb {
        Verb::List | Verb::Export { .. } | Verb::Operator { .. } => {
            authorities.list().await.map_err(crate::StartError::from)?
        }
        Verb::Create {
            rank,
            name,
            subject,
            key,
            lifetime,
            parent,
        } => {
            let subject = DistinguishedName::parse(&subject)
                .map_err(|error| CliError::Usage(format!("--subject {subject}: {error}")))?;
            let new = NewAuthority {
                name: name.unwrap_or_else(|| rank.word().to_owned()),
                rank: rank.into(),
                subject,
                algorithm: key,
                lifetime: lifetime.unwrap_or_else(|| rank.lifetime()),
                parent,
            };
            let actor = Actor::Operator(Principal::Host);
            vec![
                authorities
                    .create(&new, actor)
                    .await
                    .map_err(crate::StartError::from)?,
            ]
        }
    };
    Ok(found.iter().map(AuthorityView::from).collect())
}

impl RankArgument {
    const fn word(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Management => "management",
        }
    }

    const fn lifetime(self) -> Duration {
        let years = match self {
            Self::Root => 20,
            Self::Issuing | Self::Management => 10,
        };
        Duration::from_secs(years * 365 * 86_400)
    }
}

impl From<RankArgument> for Rank {
    fn from(argument: RankArgument) -> Self {
        match argument {
            RankArgument::Root => Self::Root,
            RankArgument::Issuing => Self::Issuing,
            RankArgument::Management => Self::Management,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_exported_whole_or_from_the_top() {
        let one = |name: &str| format!("-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n");
        let view = AuthorityView {
            name: "issuing".to_owned(),
            subject: String::new(),
            issuer: String::new(),
            key: String::new(),
            serial: String::new(),
            not_after: portreeve_pkix::Timestamp::default(),
            chain: one("issuing") + &one("root"),
        };
        let found = [view];
        let rows = [
            ("whole", "issuing", false, Some(one("issuing") + &one("root"))),
            ("the top", "issuing", true, Some(one("root"))),
            ("no such CA", "other", false, None),
        ];
        for (case, name, root, expected) in rows {
            assert_eq!(export(&found, name, root).ok(), expected, "{case}");
        }
    }
}
