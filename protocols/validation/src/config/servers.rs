//! DNS servers as people write them: one or a list, with or without a port.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

const DNS_PORT: u16 = 53;

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"ip\", \"ip:port\" or a list of them")]
enum Written {
    One(String),
    Many(Vec<String>),
}

/// Reads one server or a list.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SocketAddr>, D::Error> {
    let texts = match Written::deserialize(deserializer)? {
        Written::One(text) => vec![text],
        Written::Many(texts) => texts,
    };
    texts
        .iter()
        .map(|text| {
            parse(text).ok_or_else(|| {
                D::Error::custom(format!("\"{text}\" is not an IP address with or without a port"))
            })
        })
        .collect()
}

/// Writes the list.
pub(super) fn serialize<S: Serializer>(servers: &[SocketAddr], serializer: S) -> Result<S::Ok, S::Error> {
    servers.serialize(serializer)
}

fn parse(text: &str) -> Option<SocketAddr> {
    let with_port = text
        .parse::<SocketAddr>()
        .ok()
        .filter(|server| server.port() != 0);
    with_port.or_else(|| {
        text.parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, DNS_PORT))
    })
}
