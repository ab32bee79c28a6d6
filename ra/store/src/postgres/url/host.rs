//! One of the hosts of a URL: a name, an address or the directory of a socket, with its port.

use std::fmt;
use std::net::IpAddr;

use super::PostgresUrlError;
use super::reading::decoded;

/// The port of a host that names none.
const PORT: u16 = 5432;

/// A host to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// A name, an address, or the directory of a Unix socket.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Host {
    pub(super) fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether what is said to it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        self.is_socket()
            || self.name == "localhost"
            || self
                .name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`; a socket's directory is percent-encoded.
pub(super) fn read(text: &str, number: usize) -> Result<Host, PostgresUrlError> {
    let wrong = || PostgresUrlError::Host(number);
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            address
                .parse::<IpAddr>()
                .ok()
                .filter(IpAddr::is_ipv6)
                .ok_or_else(wrong)?;
            (address, port)
        }
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some("") | None if !port.is_empty() && port != ":" => return Err(wrong()),
        Some(digits) if !digits.is_empty() => digits.parse().map_err(|_| wrong())?,
        _ => PORT,
    };
    let name = decoded(name, "a host")?;
    if name.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok(Host { name, port })
}

/// The parameters `host` and `port`, each a list; one port holds for all hosts.
pub(super) fn named(names: &str, ports: &str) -> Result<Vec<Host>, PostgresUrlError> {
    let ports: Vec<&str> = ports.split(',').collect();
    let one_for_all = ports.len() == 1;
    let named = names.split(',').enumerate().map(|(index, name)| {
        let wrong = || PostgresUrlError::Host(index + 1);
        let port = ports.get(if one_for_all { 0 } else { index }).ok_or_else(wrong)?;
        let port = match *port {
            "" => PORT,
            digits => digits.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        };
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Host {
            name: name.to_owned(),
            port,
        })
    });
    named.collect()
}
