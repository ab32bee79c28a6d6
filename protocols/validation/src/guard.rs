//! The SSRF guard: which addresses validation may connect to (RFC 8555 section 10.4).
//!
//! A name under validation is chosen by its requester, and so are its addresses. By default only
//! globally reachable unicast addresses are let through. An IPv6 address that carries an IPv4
//! address (mapped, NAT64, 6to4) is judged as both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Decides about addresses; pure, without I/O.
#[derive(Debug, Clone, Default)]
pub struct AddressGuard {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressRefused {
    /// It can never be the address of one host: unspecified, multicast, broadcast.
    #[error("not the address of a host")]
    NotAHost,
    /// It lies in one of `deny_networks`.
    #[error("in a network that is denied")]
    Denied,
    /// It is not globally reachable and no entry of `allow_networks` covers it.
    #[error("{0}")]
    NotGlobal(&'static str),
}

impl AddressGuard {
    /// A guard that also lets `allow` through and refuses `deny`, which wins.
    pub fn new(allow: Vec<IpNet>, deny: Vec<IpNet>) -> Self {
        Self { allow, deny }
    }

    /// Says whether `address` may be connected to.
    pub fn check(&self, address: IpAddr) -> Result<(), AddressRefused> {
        let address = address.to_canonical();
        let carried = carried_v4(address);
        if is_not_a_host(address) || carried.is_some_and(|v4| is_not_a_host(v4.into())) {
            return Err(AddressRefused::NotAHost);
        }
        if covers(&self.deny, address) || carried.is_some_and(|v4| covers(&self.deny, v4.into())) {
            return Err(AddressRefused::Denied);
        }
        if covers(&self.allow, address) {
            return Ok(());
        }
        let special = match address {
            IpAddr::V4(v4) => special_v4(v4),
            IpAddr::V6(v6) => special_v6(v6),
        };
        match (special, carried) {
            (Some(why), _) => Err(AddressRefused::NotGlobal(why)),
            (None, Some(v4)) => self.check(v4.into()),
            (None, None) => Ok(()),
        }
    }
}

fn covers(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

fn is_not_a_host(address: IpAddr) -> bool {
    address.is_unspecified() || address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// The IPv4 address a packet to `address` would end up at by way of a NAT64 or a 6to4 relay.
fn carried_v4(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let [_, _, a, b, c, d, ..] = v6.octets();
    let [.., w, x, y, z] = v6.octets();
    if NAT64.contains(&v6) {
        Some(Ipv4Addr::new(w, x, y, z))
    } else if SIX_TO_FOUR.contains(&v6) {
        Some(Ipv4Addr::new(a, b, c, d))
    } else {
        None
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4
        .iter()
        .find(|(network, _)| network.contains(&address))
        .map(|(_, why)| *why)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if NAT64.contains(&address) {
        return None;
    }
    if let Some((_, why)) = SPECIAL_V6.iter().find(|(network, _)| network.contains(&address)) {
        return Some(why);
    }
    (!GLOBAL_UNICAST.contains(&address)).then_some("outside global unicast (2000::/3)")
}

const fn v4(a: u8, b: u8, c: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), prefix)
}

const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0), prefix)
}

/// RFC 6052 section 2.1: the well-known prefix of NAT64.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// RFC 3056 section 2.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);
/// RFC 4291 section 2.4, as allocated so far.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// What the IANA registry of special-purpose IPv4 addresses (RFC 6890) does not call globally
/// reachable, and one public address at which a cloud platform serves its metadata.
const SPECIAL_V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 8), "this network (0.0.0.0/8)"),
    (v4(10, 0, 0, 8), "private (10.0.0.0/8)"),
    (v4(100, 64, 0, 10), "shared by carriers (100.64.0.0/10)"),
    (v4(127, 0, 0, 8), "loopback (127.0.0.0/8)"),
    (v4(169, 254, 0, 16), "link-local (169.254.0.0/16)"),
    (v4(172, 16, 0, 12), "private (172.16.0.0/12)"),
    (v4(192, 0, 0, 24), "protocol assignments (192.0.0.0/24)"),
    (v4(192, 0, 2, 24), "documentation (192.0.2.0/24)"),
    (v4(192, 88, 99, 24), "former 6to4 relays (192.88.99.0/24)"),
    (v4(192, 168, 0, 16), "private (192.168.0.0/16)"),
    (v4(198, 18, 0, 15), "benchmarking (198.18.0.0/15)"),
    (v4(198, 51, 100, 24), "documentation (198.51.100.0/24)"),
    (v4(203, 0, 113, 24), "documentation (203.0.113.0/24)"),
    (v4(224, 0, 0, 4), "multicast (224.0.0.0/4)"),
    (v4(240, 0, 0, 4), "reserved (240.0.0.0/4)"),
    (
        Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32),
        "platform metadata (168.63.129.16)",
    ),
];

/// What lies within 2000::/3 and is not globally reachable, and the well-known rest by its name.
const SPECIAL_V6: [(Ipv6Net, &str); 8] = [
    (v6(0, 0, 0, 96), "loopback or IPv4-compatible (::/96)"),
    (v6(0x100, 0, 0, 64), "discarded (100::/64)"),
    (
        v6(0x2001, 0, 0, 23),
        "protocol assignments, Teredo, benchmarking (2001::/23)",
    ),
    (v6(0x2001, 0xdb8, 0, 32), "documentation (2001:db8::/32)"),
    (v6(0x3fff, 0, 0, 20), "documentation (3fff::/20)"),
    (v6(0xfc00, 0, 0, 7), "unique local (fc00::/7)"),
    (v6(0xfe80, 0, 0, 10), "link-local (fe80::/10)"),
    (v6(0xfec0, 0, 0, 10), "site-local (fec0::/10)"),
];

#[cfg(test)]
mod tests;
