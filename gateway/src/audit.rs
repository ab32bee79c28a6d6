//! The audit log in a gateway: the duty of sealing, and where checkpoints go.

mod api;
mod file;
mod syslog;

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_audit::{Outside, SealConfig, SealWatch, Sealer, SealerParts, VerifierKey};
use portreeve_keyset::Keyset;
use portreeve_ra::ports::Leases;
use portreeve_ra::{KeyId, Purpose, RegistrationAuthority};
use uuid::Uuid;

use crate::config::{Config, ConfigError};
use crate::installation::Installation;

pub use api::{
    AuditApi, CheckpointView, ErasedView, ErasingBody, EventView, LogView, ProofView, description,
};
pub use file::{CheckpointFile, is_of, read_checkpoints};
pub use syslog::Syslog;

/// The name of an installation's log, which is also the name of its key: the same on all nodes, and for ever.
pub fn origin(installation: &[u8; 16]) -> String {
    format!("portreeve/{}", Uuid::from_bytes(*installation).hyphenated())
}

/// The public keys that sign checkpoints of this log, the newest last.
pub fn log_keys(origin: &str, keyset: &Keyset) -> Vec<(KeyId, VerifierKey)> {
    let keys = keyset.signing_keys().iter();
    keys.filter(|(purpose, ..)| *purpose == Purpose::Audit)
        .filter_map(|(_, id, key)| Some((*id, VerifierKey::new(origin, *key).ok()?)))
        .collect()
}

/// The sealer of a node, and how it stands. The duty comes by way of `leases`.
pub fn sealer(
    (installation, leases): (&Installation, Arc<dyn Leases>),
    config: &Config,
    ra: &Arc<RegistrationAuthority>,
) -> Result<(Sealer, Arc<SealWatch>), ConfigError> {
    let origin = origin(&installation.id);
    let path = config.audit.checkpoint_file(config.data_dir());
    let mut outside: Vec<Arc<dyn Outside>> = vec![Arc::new(CheckpointFile::new(path))];
    if let Some(target) = config.audit.syslog()? {
        outside.push(Arc::new(Syslog::new(target, Arc::clone(&installation.clock))));
    }
    let keys: BTreeMap<KeyId, VerifierKey> = log_keys(&origin, &installation.keyset).into_iter().collect();
    let watch = Arc::new(SealWatch::default());
    let store = &installation.store;
    let sealer = Sealer::new(SealerParts {
        log: Arc::clone(&store.audit),
        sealing: Arc::clone(&store.sealing),
        leases,
        signer: Arc::clone(&installation.keyset) as _,
        keys,
        outside,
        alarm: Arc::clone(ra) as _,
        watch: Arc::clone(&watch),
        clock: Arc::clone(&installation.clock),
        node: installation.node,
        origin,
        config: SealConfig {
            checkpoint_every: config.audit.checkpoint_every.0,
            ..SealConfig::default()
        },
    });
    Ok((sealer, watch))
}
