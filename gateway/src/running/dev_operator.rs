//! The operator of `dev`: `admin`, a superadmin with a password and a token that lie in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_console::auth::{Passwords, token_text};
use portreeve_pkix::{Secret, Timestamp};
use portreeve_ra::access::Acting;
use portreeve_ra::operators::{ChangeError, Condition, PeopleChange};
use portreeve_ra::ports::{Batch, CommitError, Conflict, DocumentId, DocumentWrite};
use portreeve_ra::{
    ObjectKind, OperatorName, Origin, Principal, RegistrationAuthority, SecretCheck, Standing,
};
use serde::{Deserialize, Serialize};

use super::StartError;
use crate::dev::replace_file;
use crate::installation::Installation;

/// The name of the operator.
pub(super) const NAME: &str = "admin";

const DOCUMENT: DocumentId = DocumentId {
    kind: "console.dev",
    id: [0; 16],
};

/// What the operator signs in with, sealed in the store: several nodes of one installation write the same files.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct DevCredentials {
    password: String,
    token: String,
    /// Milliseconds since 1970 after which the token is made anew.
    renew_at: i64,
}

/// Where the files lie.
pub(super) struct DevFiles {
    /// The password.
    pub(super) password: PathBuf,
    /// The token.
    pub(super) token: PathBuf,
}

impl DevCredentials {
    /// Writes the files, each for its owner only.
    pub(super) fn write(&self, data_dir: &Path) -> Result<DevFiles, StartError> {
        let files = DevFiles {
            password: data_dir.join("admin-password"),
            token: data_dir.join("admin-token"),
        };
        for (path, text) in [(&files.password, &self.password), (&files.token, &self.token)] {
            let text = format!("{text}\n");
            if std::fs::read_to_string(path).is_ok_and(|found| found == text) {
                continue;
            }
            replace_file(path, text.as_bytes()).map_err(|source| StartError::File {
                path: path.clone(),
                source,
            })?;
        }
        Ok(files)
    }
}

/// Those in the store, if a console has made them.
pub(super) async fn credentials(installation: &Installation) -> Result<Option<DevCredentials>, StartError> {
    Ok(read(installation).await?.map(|(found, _)| found))
}

async fn read(installation: &Installation) -> Result<Option<(DevCredentials, u64)>, StartError> {
    let found = installation.store.documents.document(&DOCUMENT).await;
    let found = found.map_err(portreeve_ra::Error::from)?;
    Ok(found.and_then(|found| Some((serde_json::from_slice(&found.body).ok()?, found.version))))
}

/// Makes the operator and what they sign in with, as far as it is missing.
pub(super) async fn prepare(
    installation: &Installation,
    ra: &RegistrationAuthority,
) -> Result<(), StartError> {
    let by = Acting {
        standing: Standing::superadmin(Principal::Host),
        origin: Origin::node(ra.node()),
        reason: "shipped with portreeve dev".to_owned(),
    };
    let name = OperatorName::new(NAME).map_err(|_| StartError::Operator(ChangeError::Unknown))?;
    let text = "title = \"Operator of portreeve dev\"\nroles = [\"superadmin\"]\n";
    let first = PeopleChange {
        kind: ObjectKind::Operator,
        name: NAME.to_owned(),
        text: Some(text.to_owned()),
        condition: Condition::Absent,
    };
    let history = ra.objects().history(ObjectKind::Operator, NAME).await?;
    if history.is_some_and(|history| history.current().is_none()) {
        // Whoever removed the operator does not want it back.
        return Ok(());
    }
    match ra.change_people(&by, first).await {
        Ok(_) | Err(ChangeError::Condition) => {}
        Err(error) => return Err(error.into()),
    }
    let credentials = kept(installation, ra, (&by, &name)).await?;
    let passwords = Arc::new(Passwords::default());
    let secret = || Secret::new(credentials.password.clone().into_bytes());
    let current = ra
        .password(&name)
        .await?
        .and_then(|known| match known.secret.check {
            SecretCheck::Argon2id(hash) => Some(hash),
            SecretCheck::Sha256(_) | SecretCheck::Sealed(_) => None,
        });
    // Whoever gave the operator another password knows it.
    if current.is_some() {
        return Ok(());
    }
    let mut salt = [0; 16];
    installation.random.fill(&mut salt);
    let hash = passwords.hash(NAME, secret(), salt).await;
    let hash = hash.map_err(|error| StartError::Operator(ChangeError::Unreadable(error.to_string())))?;
    ra.set_password(&by, &name, (hash, None)).await?;
    Ok(())
}

/// The credentials in the store, made if there are none, the token made anew in good time.
async fn kept(
    installation: &Installation,
    ra: &RegistrationAuthority,
    (by, name): (&Acting, &OperatorName),
) -> Result<DevCredentials, StartError> {
    for _ in 0..4 {
        let found = read(installation).await?;
        let version = found.as_ref().map_or(0, |(_, version)| *version);
        let now = ra.now();
        let password = match found {
            Some((credentials, _)) if now.unix_millis() < credentials.renew_at => return Ok(credentials),
            Some((credentials, _)) => credentials.password,
            None => random_word(installation),
        };
        let made = ra.issue_dev_token(by, name).await?;
        let credentials = DevCredentials {
            password,
            token: token_text(made.id, &made.secret),
            renew_at: half_way(now, made.until),
        };
        let write = DocumentWrite {
            id: DOCUMENT,
            version: version + 1,
            body: serde_json::to_vec(&credentials).ok(),
            keys: Vec::new(),
            expires_at: None,
        };
        let batch = Batch {
            documents: vec![write],
            ..Batch::default()
        };
        match ra.store().commit(batch).await {
            Ok(()) => return Ok(credentials),
            // Another node was faster: its credentials count, and this token stays unknown.
            Err(CommitError::Conflict(Conflict::Document(_))) => {}
            Err(CommitError::Conflict(_)) => break,
            Err(CommitError::Store(error)) => return Err(portreeve_ra::Error::from(error).into()),
        }
    }
    Err(StartError::Operator(ChangeError::Condition))
}

fn half_way(now: Timestamp, until: Timestamp) -> i64 {
    now.saturating_add(until.since(now) / 2).unix_millis()
}

fn random_word(installation: &Installation) -> String {
    let mut octets = [0; 16];
    installation.random.fill(&mut octets);
    hex::encode(octets)
}
