//! `portreeve cert download`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Which;
use crate::cli::CliError;
use crate::control::ControlClient;

/// What to write where.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    which: Which,
    /// In which form.
    #[arg(long = "as", value_enum, default_value_t = Form::Pem)]
    form: Form,
    /// The file, which must not exist; printed when left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A form of a certificate.
#[derive(Copy, Clone, Debug, ValueEnum)]
enum Form {
    /// The certificate alone, PEM.
    Pem,
    /// The certificate alone, DER.
    Der,
    /// The certificate and its chain as CMS, DER.
    P7b,
    /// The certificate and its chain, PEM.
    Chain,
}

impl Form {
    const fn file(self) -> &'static str {
        match self {
            Self::Pem => "/certificate.pem",
            Self::Der => "/certificate.der",
            Self::P7b => "/certificate.p7b",
            Self::Chain => "/chain.pem",
        }
    }
}

pub(super) async fn run(client: &ControlClient, wanted: Wanted) -> Result<(), CliError> {
    let octets = client.download(&wanted.which.path(wanted.form.file())?).await?;
    let Some(path) = wanted.out else {
        let mut out = std::io::stdout().lock();
        out.write_all(&octets)?;
        return Ok(out.flush()?);
    };
    let mut file = std::fs::File::create_new(&path).map_err(CliError::file(&path))?;
    file.write_all(&octets).map_err(CliError::file(&path))
}
