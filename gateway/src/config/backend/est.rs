//! `backend.NAME.est`: an EST server as a CA.

use std::path::{Path, PathBuf};

use portreeve_ca_est::{ChallengePassword, ClientIdentity, EstCaConfig, IssuerPin, Password, Repeats};
use portreeve_pkix::{Certificate, Secret, pem};
use portreeve_ra::BackendName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, SecretSource, invalid};

/// Octets of a file that is named here, at most.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// An EST server as a CA.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EstSection {
    /// Where its operations are: `https://HOST[:PORT]/.well-known/est[/LABEL]`.
    pub url: String,
    /// The CA certificates that the server's TLS certificate may come from, in PEM.
    pub server_ca: PathBuf,
    /// The name this node signs in with by HTTP Basic; empty: by its client certificate alone.
    pub username: String,
    /// The password of that name.
    pub password: Option<SecretSource>,
    /// The client certificate with its chain, in PEM; empty: none.
    pub client_cert: PathBuf,
    /// The private key of the client certificate, in PEM.
    pub client_key: PathBuf,
    /// The certificates that must have issued what comes back, in PEM: the one that issues first, up to the root.
    pub issuer: PathBuf,
    /// In place of `issuer`: the SHA-256 digest of the certificate that issues, in hexadecimal. It and its own issuers are
    /// fetched from the server then.
    pub issuer_sha256: String,
    /// Whether the server answers a request that it has answered before with the same certificate, as Portreeve does. Where
    /// it does not, a request whose answer was lost waits for an operator.
    pub recognises_repeats: bool,
    /// What is done with a request that carries a challenge password.
    pub challenge_password: ChallengePasswordWord,
}

/// What is done with a request that carries a challenge password, which means something on the client's own connection only
/// and cannot be taken out under the client's signature.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChallengePasswordWord {
    /// It is not forwarded.
    #[default]
    Refuse,
    /// It is: the server does not judge it when this node enrols for others.
    Forward,
}

impl EstSection {
    pub(super) fn check(&self, key: &str) -> Result<(), ConfigError> {
        let absent = |path: &Path| path.as_os_str().is_empty();
        let wrong = |leaf: &str, reason: &str| Err(invalid(format!("{key}.{leaf}"), reason));
        if !self.url.starts_with("https://") {
            return wrong("url", "must be https://HOST[:PORT]/.well-known/est[/LABEL]");
        }
        if absent(&self.server_ca) {
            return wrong("server_ca", "must name a file");
        }
        if self.username.is_empty() != self.password.is_none() {
            return wrong("username", "and password must be given together");
        }
        if absent(&self.client_cert) != absent(&self.client_key) {
            return wrong("client_cert", "and client_key must be given together");
        }
        if self.username.is_empty() && absent(&self.client_cert) {
            return wrong(
                "username",
                "or client_cert is needed: the server must know who enrols for others",
            );
        }
        if absent(&self.issuer) == self.issuer_sha256.is_empty() {
            return wrong("issuer", "or issuer_sha256 is needed, and not both");
        }
        if !self.issuer_sha256.is_empty() && self.digest().is_none() {
            return wrong("issuer_sha256", "must be 64 hexadecimal digits");
        }
        Ok(())
    }

    /// The pinned digest, if it is one that pins. Colons between the octets are as well understood.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        let digits = self.issuer_sha256.replace(':', "");
        hex::decode(digits).ok()?.try_into().ok()
    }

    /// The settings of the backend. Reads the files; whether the server can be reached is not looked at.
    pub fn settings(&self, name: &BackendName, data_dir: &Path) -> Result<EstCaConfig, ConfigError> {
        let key = |leaf: &str| format!("backend.{name}.est.{leaf}");
        let certificates = |leaf: &str, path: &Path| {
            let text = read(&key(leaf), &data_dir.join(path))?;
            pem::decode_all("CERTIFICATE", &text).map_err(|error| invalid(key(leaf), error.to_string()))
        };
        let password = match &self.password {
            None => None,
            Some(source) => Some(Password {
                user: self.username.clone(),
                password: Secret::new(secret(&key("password"), source, data_dir)?.into_bytes()),
            }),
        };
        let identity = if self.client_cert.as_os_str().is_empty() {
            None
        } else {
            let text = read(&key("client_key"), &data_dir.join(&self.client_key))?;
            Some(ClientIdentity {
                chain: certificates("client_cert", &self.client_cert)?,
                key: Secret::new(text.into_bytes()),
            })
        };
        let issuer = match self.digest() {
            Some(digest) => IssuerPin::Fingerprint(digest),
            None => {
                let ders = certificates("issuer", &self.issuer)?;
                let chain: Result<Vec<Certificate>, _> =
                    ders.iter().map(|der| Certificate::from_der(der)).collect();
                IssuerPin::Chain(chain.map_err(|error| invalid(key("issuer"), error.to_string()))?)
            }
        };
        Ok(EstCaConfig {
            name: name.clone(),
            url: self.url.clone(),
            server_roots: certificates("server_ca", &self.server_ca)?,
            password,
            identity,
            issuer,
            repeats: if self.recognises_repeats {
                Repeats::AreRecognised
            } else {
                Repeats::MayIssueAgain
            },
            challenge_password: match self.challenge_password {
                ChallengePasswordWord::Refuse => ChallengePassword::Refuse,
                ChallengePasswordWord::Forward => ChallengePassword::Forward,
            },
        })
    }
}

/// A secret without the line break at its end.
fn secret(key: &str, source: &SecretSource, data_dir: &Path) -> Result<String, ConfigError> {
    let text = match source {
        SecretSource::Env(name) => {
            std::env::var(name).map_err(|_| invalid(key, format!("the variable {name} is not set")))?
        }
        SecretSource::File(path) => read(key, &data_dir.join(path))?,
    };
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(invalid(key, "is empty where it lies")),
        text => Ok(text.to_owned()),
    }
}

fn read(key: &str, path: &Path) -> Result<String, ConfigError> {
    let named = |error: std::io::Error| invalid(key, format!("{}: {error}", path.display()));
    if std::fs::metadata(path).map_err(named)?.len() > FILE_BYTES_MAX {
        return Err(invalid(key, format!("{} is too large", path.display())));
    }
    std::fs::read_to_string(path).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "url = \"https://ca.example/.well-known/est\"\nserver_ca = \"roots.pem\"\nusername = \"u\"\n\
                        password = { file = \"password\" }\nissuer = \"issuer.pem\"\n";

    fn checked(text: &str) -> Result<(), String> {
        let section: EstSection = toml::from_str(text).map_err(|error| error.to_string())?;
        section.check("backend.a.est").map_err(|error| error.to_string())
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(checked(GOOD), Ok(()));
        let digest = "ab:".repeat(31) + "ab";
        let rows = [
            (GOOD.replace("https", "http"), "est.url"),
            (GOOD.replace("server_ca = \"roots.pem\"", ""), "est.server_ca"),
            (GOOD.replace("username = \"u\"", ""), "password"),
            (
                GOOD.replace("username = \"u\"\npassword = { file = \"password\" }", ""),
                "client_cert is needed",
            ),
            (format!("{GOOD}client_cert = \"c.pem\"\n"), "client_key"),
            (GOOD.replace("issuer = \"issuer.pem\"", ""), "est.issuer"),
            (format!("{GOOD}issuer_sha256 = \"{digest}\"\n"), "not both"),
            (
                GOOD.replace("issuer = \"issuer.pem\"", "issuer_sha256 = \"ab\""),
                "64 hexadecimal",
            ),
            (
                format!("{GOOD}challenge_password = \"maybe\"\n"),
                "challenge_password",
            ),
            (format!("{GOOD}password_text = \"x\"\n"), "password_text"),
        ];
        for (text, mentioned) in rows {
            let error = checked(&text).expect_err(mentioned);
            assert!(error.contains(mentioned), "{mentioned}: {error}");
        }
        assert_eq!(
            checked(&GOOD.replace(
                "issuer = \"issuer.pem\"",
                &format!("issuer_sha256 = \"{digest}\"")
            )),
            Ok(())
        );
    }

    #[test]
    fn files_are_read_and_missing_ones_named() {
        let folder = tempfile::tempdir().expect("folder");
        let section: EstSection = toml::from_str(GOOD).expect("section");
        let name = BackendName::new("a").expect("name");
        let error = |folder: &Path| section.settings(&name, folder).expect_err("no files").to_string();
        assert!(
            error(folder.path()).contains("backend.a.est.password"),
            "{}",
            error(folder.path())
        );
        std::fs::write(folder.path().join("password"), "a secret\n").expect("written");
        assert!(
            error(folder.path()).contains("backend.a.est.issuer"),
            "{}",
            error(folder.path())
        );
        std::fs::write(folder.path().join("issuer.pem"), "no certificate").expect("written");
        let said = error(folder.path());
        assert!(
            said.contains("backend.a.est.issuer") && !said.contains("a secret"),
            "{said}"
        );
    }
}
