//! The URL of a Redis server.

use std::fmt;

use url::Url;
use zeroize::Zeroizing;

/// The port of Redis when a URL has none.
const DEFAULT_PORT: u16 = 6379;

/// Octets of a URL, at most.
const URL_BYTES_MAX: usize = 2_048;

/// Where a Redis server is and as whom to sign in. What is shown of it, by `Debug` too, has neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisTarget {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: u32,
    pub(crate) user: Option<Zeroizing<String>>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) encrypted: bool,
}

/// Why a text is no URL of a Redis server. Never shows the text: it may hold a password.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedisUrlError {
    /// It is no URL.
    #[error("is not redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE] nor the same with rediss://")]
    NotAUrl,
    /// It is too long.
    #[error("is longer than {URL_BYTES_MAX} octets")]
    TooLong,
    /// Sentinel and Cluster are not spoken yet.
    #[error("Sentinel and Cluster are not supported yet: give one server as redis:// or rediss://")]
    NotYet,
    /// The part behind the host is no number.
    #[error("its path must be the number of a database, such as /0")]
    Database,
    /// A user without a password.
    #[error("has a user without a password")]
    UserAlone,
    /// A query or a fragment.
    #[error("must not have a query or a fragment")]
    Tail,
    /// Octets behind a percent sign that are no UTF-8 text.
    #[error("its user or password is not percent-encoded UTF-8")]
    Encoding,
}

impl RedisTarget {
    /// Reads `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, or the same with `rediss://` for TLS. User and password
    /// are percent-encoded where they hold other characters than a URL allows; a password without a user is that of
    /// the user `default`.
    ///
    /// # Errors
    /// See [`RedisUrlError`].
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(RedisUrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| RedisUrlError::NotAUrl)?;
        let encrypted = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            other if other.contains("sentinel") || other.contains("cluster") => {
                return Err(RedisUrlError::NotYet);
            }
            _ => return Err(RedisUrlError::NotAUrl),
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(RedisUrlError::Tail);
        }
        let user = Some(url.username()).filter(|user| !user.is_empty());
        let password = url.password();
        if user.is_some() && password.is_none() {
            return Err(RedisUrlError::UserAlone);
        }
        Ok(Self {
            host: host(&url)?,
            port: url.port().unwrap_or(DEFAULT_PORT),
            database: database(url.path())?,
            user: user.map(decoded).transpose()?,
            password: password.map(decoded).transpose()?,
            encrypted,
        })
    }

    /// Whether the connection is encrypted.
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether the server runs on this machine, as far as its name tells.
    pub fn is_local(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

fn host(url: &Url) -> Result<String, RedisUrlError> {
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or(RedisUrlError::NotAUrl)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Ok(bare.unwrap_or(host).to_owned())
}

fn database(path: &str) -> Result<u32, RedisUrlError> {
    match path.strip_prefix('/').unwrap_or(path) {
        "" => Ok(0),
        number if number.bytes().all(|octet| octet.is_ascii_digit()) => {
            number.parse().map_err(|_| RedisUrlError::Database)
        }
        _ => Err(RedisUrlError::Database),
    }
}

/// A part of a URL without its percent-encoding.
fn decoded(part: &str) -> Result<Zeroizing<String>, RedisUrlError> {
    let mut octets = Zeroizing::new(Vec::with_capacity(part.len()));
    let mut rest = part.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(RedisUrlError::Encoding);
        };
        octets.push(u8::try_from(high * 16 + low).map_err(|_| RedisUrlError::Encoding)?);
    }
    let text = std::str::from_utf8(&octets).map_err(|_| RedisUrlError::Encoding)?;
    Ok(Zeroizing::new(text.to_owned()))
}

impl fmt::Display for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "rediss" } else { "redis" };
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        let Self {
            host, port, database, ..
        } = self;
        write!(f, "{scheme}://{open}{host}{close}:{port}/{database}")
    }
}

impl fmt::Debug for RedisTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let rows = [
            ("redis://localhost", "redis://localhost:6379/0", None, None),
            ("redis://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3", None, None),
            ("rediss://[::1]:7000/", "rediss://[::1]:7000/0", None, None),
            ("redis://:pw@h", "redis://h:6379/0", None, Some("pw")),
            (
                "rediss://u:p%40%2Fw%C3%A4@h/1",
                "rediss://h:6379/1",
                Some("u"),
                Some("p@/wä"),
            ),
        ];
        for (text, shown, user, password) in rows {
            let target = RedisTarget::parse(text).unwrap();
            assert_eq!(target.to_string(), shown, "{text}");
            assert_eq!(target.user.as_ref().map(|it| it.as_str()), user, "{text}");
            assert_eq!(target.password.as_ref().map(|it| it.as_str()), password, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        use RedisUrlError as E;
        let rows = [
            ("", E::NotAUrl),
            ("secret", E::NotAUrl),
            ("http://h", E::NotAUrl),
            ("redis:///0", E::NotAUrl),
            ("redis://u:secret@h:notaport", E::NotAUrl),
            ("redis://u:secret@h/x", E::Database),
            ("redis://u:secret@h/-1", E::Database),
            ("redis://u:secret@h/1/2", E::Database),
            ("redis://h/99999999999", E::Database),
            ("redis://secret@h", E::UserAlone),
            ("redis://h?password=secret", E::Tail),
            ("rediss://h#insecure", E::Tail),
            ("redis://u:secret%zz@h", E::Encoding),
            ("redis://u:secret%ff@h", E::Encoding),
            ("rediss+sentinel://u:secret@h/main", E::NotYet),
            ("redis+cluster://h", E::NotYet),
        ];
        for (text, expected) in rows {
            let error = RedisTarget::parse(text).unwrap_err();
            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("secret"), "{text}");
        }
        let long = format!("redis://{}", "h".repeat(URL_BYTES_MAX));
        assert_eq!(RedisTarget::parse(&long), Err(E::TooLong));
    }

    #[test]
    fn nothing_shows_credentials() {
        let target = RedisTarget::parse("rediss://user:secret@h:1/2").unwrap();
        let shown = format!("{target} {target:?} {target:#?}");
        assert!(!shown.contains("secret") && !shown.contains("user"), "{shown}");
    }

    #[test]
    fn loopback_is_local() {
        let rows = [
            ("127.0.0.2", true),
            ("[::1]", true),
            ("localhost", true),
            ("10.0.0.1", false),
            ("h", false),
        ];
        for (host, local) in rows {
            let target = RedisTarget::parse(&format!("redis://{host}")).unwrap();
            assert_eq!(target.is_local(), local, "{host}");
        }
    }
}
