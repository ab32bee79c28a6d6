//! The client's address behind proxies that are trusted.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Addresses in the header that are looked at, from the right.
const HOPS_MAX: usize = 16;

/// The address of the client: that of the connection, or, when it comes from a trusted proxy, the rightmost
/// address in `X-Forwarded-For` that is not a trusted proxy itself. A malformed entry ends the search.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_proxy = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_proxy(&peer) {
        return peer;
    }
    let lines: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .collect();
    let mut found = peer;
    for entry in lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .take(HOPS_MAX)
    {
        let Ok(address) = entry.trim().parse::<IpAddr>() else {
            break;
        };
        found = address;
        if !is_proxy(&address) {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let rows = [
            (
                "a stranger is not believed",
                "192.0.2.9",
                vec!["198.51.100.1"],
                "192.0.2.9",
            ),
            ("a proxy is", "10.0.0.1", vec!["198.51.100.1"], "198.51.100.1"),
            (
                "the rightmost stranger counts",
                "10.0.0.1",
                vec!["1.1.1.1, 198.51.100.1, 10.0.0.2"],
                "198.51.100.1",
            ),
            (
                "over several lines",
                "10.0.0.1",
                vec!["198.51.100.1", "10.0.0.3"],
                "198.51.100.1",
            ),
            ("nothing but proxies", "10.0.0.1", vec!["10.0.0.2"], "10.0.0.2"),
            (
                "garbage ends the search",
                "10.0.0.1",
                vec!["198.51.100.1, x"],
                "10.0.0.1",
            ),
            ("no header", "10.0.0.1", vec![], "10.0.0.1"),
        ];
        for (name, peer, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let found = client_address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{name}");
        }
    }
}
