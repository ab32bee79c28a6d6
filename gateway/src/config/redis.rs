//! `redis`: what carries hints between nodes. Nothing depends on it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use portreeve_queue::{RedisServer, RedisTarget, RedisTlsFiles};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{ConfigError, SecretSource, invalid};

/// Octets of a file that holds a URL, at most.
const URL_FILE_BYTES_MAX: u64 = 4_096;

/// What carries hints between nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSection {
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS, or where the URL lies; empty: no Redis.
    pub url: RedisUrl,
    /// The CA certificates that the server's certificate may come from, in PEM; needed for `rediss://`.
    pub ca_file: PathBuf,
    /// The client certificate with its chain, in PEM; empty: none.
    pub client_cert: PathBuf,
    /// The private key of the client certificate, in PEM.
    pub client_key: PathBuf,
}

/// A URL that may hold a password, or where it lies. A password is neither shown nor written.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RedisUrl {
    /// In the configuration itself.
    Plain(String),
    /// In a file or a variable of the environment.
    Kept(SecretSource),
}

impl Default for RedisUrl {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl FromStr for RedisUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::Plain(text.to_owned()))
    }
}

impl RedisUrl {
    /// The URL with three stars for its password.
    fn masked(text: &str) -> String {
        let Ok(mut url) = url::Url::parse(text) else {
            return if text.is_empty() {
                String::new()
            } else {
                "***".to_owned()
            };
        };
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return "***".to_owned();
        }
        url.into()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(&Self::masked(text)),
            Self::Kept(source) => source.fmt(f),
        }
    }
}

impl Serialize for RedisUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Plain(text) => serializer.serialize_str(&Self::masked(text)),
            Self::Kept(source) => source.serialize(serializer),
        }
    }
}

impl RedisSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.client_cert.as_os_str().is_empty() != self.client_key.as_os_str().is_empty() {
            return Err(invalid(
                "redis.client_cert",
                "and redis.client_key must be given together",
            ));
        }
        match &self.url {
            RedisUrl::Plain(text) if text.is_empty() => Ok(()),
            RedisUrl::Plain(text) => self.target(text).map(drop),
            RedisUrl::Kept(SecretSource::File(path)) if path.as_os_str().is_empty() => {
                Err(invalid("redis.url", "must name a file"))
            }
            RedisUrl::Kept(SecretSource::Env(name)) if name.is_empty() => {
                Err(invalid("redis.url", "must name a variable"))
            }
            RedisUrl::Kept(_) => Ok(()),
        }
    }

    /// The server; `None` without one. Reads the files; whether the server can be reached is not looked at.
    pub fn server(&self, data_dir: &Path) -> Result<Option<RedisServer>, ConfigError> {
        let text = match &self.url {
            RedisUrl::Plain(text) => text.clone(),
            RedisUrl::Kept(source) => read(source, data_dir)?,
        };
        if text.is_empty() {
            return Ok(None);
        }
        let target = self.target(&text)?;
        let server = RedisServer::new(target, self.files(data_dir).as_ref());
        server
            .map(Some)
            .map_err(|error| invalid("redis", error.to_string()))
    }

    fn target(&self, text: &str) -> Result<RedisTarget, ConfigError> {
        let target = RedisTarget::parse(text).map_err(|error| invalid("redis.url", error.to_string()))?;
        let trusts = !self.ca_file.as_os_str().is_empty();
        match (target.is_encrypted(), trusts) {
            (true, false) => Err(invalid(
                "redis.ca_file",
                portreeve_queue::RedisSetupError::NoCa.to_string(),
            )),
            (false, true) => Err(invalid(
                "redis.ca_file",
                portreeve_queue::RedisSetupError::NotEncrypted.to_string(),
            )),
            _ => Ok(target),
        }
    }

    fn files(&self, data_dir: &Path) -> Option<RedisTlsFiles> {
        let given = |path: &Path| (!path.as_os_str().is_empty()).then(|| data_dir.join(path));
        Some(RedisTlsFiles {
            ca: given(&self.ca_file)?,
            client: given(&self.client_cert).zip(given(&self.client_key)),
        })
    }
}

/// The URL that lies elsewhere.
fn read(source: &SecretSource, data_dir: &Path) -> Result<String, ConfigError> {
    let fail = |reason: String| invalid("redis.url", reason);
    let text = match source {
        SecretSource::Env(name) => {
            std::env::var(name).map_err(|_| fail(format!("the variable {name} is not set")))?
        }
        SecretSource::File(path) => {
            let path = data_dir.join(path);
            let named = |error: std::io::Error| fail(format!("{}: {error}", path.display()));
            if std::fs::metadata(&path).map_err(named)?.len() > URL_FILE_BYTES_MAX {
                return Err(fail(format!("{} is longer than a URL", path.display())));
            }
            std::fs::read_to_string(&path).map_err(named)?
        }
    };
    match text.trim() {
        "" => Err(fail("is empty where it lies".to_owned())),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> RedisSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_url_is_given_or_lies_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("url"), "redis://u:secret@h:1/2\n").unwrap();
        let rows = [
            ("", None),
            ("url = \"\"", None),
            ("url = \"redis://h\"", Some("redis://h:6379/0")),
            ("url = { file = \"url\" }", Some("redis://h:1/2")),
        ];
        for (text, expected) in rows {
            let section = section(text);
            section.check().unwrap();
            let server = section.server(folder.path()).unwrap();
            let shown = server.map(|server| server.target().to_string());
            assert_eq!(shown.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_without_the_password() {
        let rows = [
            ("url = \"redis://u:secret@h/x\"", "redis.url"),
            ("url = \"http://u:secret@h\"", "redis.url"),
            ("url = \"rediss+sentinel://u:secret@h\"", "not supported yet"),
            ("url = \"rediss://u:secret@h\"", "redis.ca_file"),
            ("url = \"redis://u:secret@h\"\nca_file = \"ca\"", "redis.ca_file"),
            ("client_cert = \"c\"", "redis.client_key"),
            ("url = { file = \"\" }", "redis.url"),
        ];
        for (text, mentioned) in rows {
            let error = section(text).check().unwrap_err().to_string();
            assert!(
                error.contains(mentioned) && !error.contains("secret"),
                "{text}: {error}"
            );
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let rows = [
            ("url = { file = \"absent\" }", "absent"),
            ("url = { file = \"empty\" }", "empty"),
            (
                "url = { env = \"PORTREEVE_NO_SUCH_VARIABLE\" }",
                "PORTREEVE_NO_SUCH_VARIABLE",
            ),
            (
                "url = \"rediss://u:secret@h\"\nca_file = \"absent.pem\"",
                "absent.pem",
            ),
        ];
        for (text, mentioned) in rows {
            let error = section(text).server(folder.path()).unwrap_err().to_string();
            assert!(
                error.contains(mentioned) && !error.contains("secret"),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn a_password_is_neither_shown_nor_written() {
        for url in ["redis://user:secret@h/1", "secret"] {
            let section = section(&format!("url = \"{url}\""));
            let shown = format!("{section:?} {}", toml::to_string(&section).unwrap());
            assert!(!shown.contains("secret") && shown.contains("***"), "{shown}");
        }
        let plain = section("url = \"redis://h:1/1\"");
        assert_eq!(section_again(&plain), plain);
    }

    fn section_again(section: &RedisSection) -> RedisSection {
        toml::from_str(&toml::to_string(section).unwrap()).unwrap()
    }
}
