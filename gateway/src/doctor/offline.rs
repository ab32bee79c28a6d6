//! Opening the installation, as the gateway would.

use portreeve_store::SchemaStatus;

use super::{Finding, Inside, Patient, Severity, backends, redis};
use crate::backends::Backends;
use crate::installation::{self, InstallationError, Mode, SignerProgram};
use crate::own_certificate;
use crate::wiring::Shared;

/// What an installation that is not running looks like from inside.
pub(super) async fn checks(patient: &Patient) -> Vec<Finding> {
    match open(patient).await {
        Ok(inside) => {
            let mut findings = inside.checks().await;
            findings.extend(redis::configured(&patient.config, inside.installation.clock.as_ref()).await);
            findings.extend(backends::configured(&patient.config, &inside.installation.clock).await);
            inside.installation.store.close().await;
            findings
        }
        Err(error) => vec![Finding::new("installation", Severity::Error, error.to_string())],
    }
}

async fn open(patient: &Patient) -> Result<Inside, InstallationError> {
    let mode = if patient.made_by_dev {
        Mode::Dev
    } else {
        Mode::Serve
    };
    let config = &patient.config;
    // Opening would make an installation where there is none.
    let store = config.database.store(config.data_dir())?;
    if store.status().await? == SchemaStatus::Empty {
        return Err(InstallationError::Absent(store.to_string()));
    }
    let installation = installation::open(config, (mode, patient.roles), &SignerProgram::own()?).await?;
    let shared = Shared::new(installation.clone());
    let ra = shared.authority(Backends::new());
    Ok(Inside {
        tls_names: own_certificate::names(config).unwrap_or_default(),
        installation,
        ra,
        queue: shared.queue,
    })
}
