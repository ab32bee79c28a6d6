use super::*;
use proptest::prelude::*;

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn verdict(guard: &AddressGuard, address: &str) -> &'static str {
    match guard.check(address.parse().unwrap()) {
        Ok(()) => "pass",
        Err(AddressRefused::NotAHost) => "not a host",
        Err(AddressRefused::Denied) => "denied",
        Err(AddressRefused::NotGlobal(_)) => "not global",
    }
}

#[test]
fn by_default_only_globally_reachable_unicast_passes() {
    // First and last address of each range, and its neighbours outside.
    let rows = [
        ("a public IPv4 address", "8.8.8.8", "pass"),
        ("a public IPv6 address", "2606:4700::1111", "pass"),
        ("unspecified", "0.0.0.0", "not a host"),
        ("this network, first host", "0.0.0.1", "not global"),
        ("this network, last", "0.255.255.255", "not global"),
        ("after this network", "1.0.0.0", "pass"),
        ("before 10/8", "9.255.255.255", "pass"),
        ("10/8 first", "10.0.0.0", "not global"),
        ("10/8 last", "10.255.255.255", "not global"),
        ("after 10/8", "11.0.0.0", "pass"),
        ("before CGNAT", "100.63.255.255", "pass"),
        ("CGNAT first", "100.64.0.0", "not global"),
        ("CGNAT, cloud metadata", "100.100.100.200", "not global"),
        ("CGNAT last", "100.127.255.255", "not global"),
        ("after CGNAT", "100.128.0.0", "pass"),
        ("before loopback", "126.255.255.255", "pass"),
        ("loopback", "127.0.0.1", "not global"),
        ("loopback last", "127.255.255.255", "not global"),
        ("after loopback", "128.0.0.0", "pass"),
        ("before link-local", "169.253.255.255", "pass"),
        ("link-local first", "169.254.0.0", "not global"),
        ("cloud metadata", "169.254.169.254", "not global"),
        ("container credentials", "169.254.170.2", "not global"),
        ("after link-local", "169.255.0.0", "pass"),
        ("before 172.16/12", "172.15.255.255", "pass"),
        ("172.16/12 first", "172.16.0.0", "not global"),
        ("172.16/12 last", "172.31.255.255", "not global"),
        ("after 172.16/12", "172.32.0.0", "pass"),
        ("protocol assignments", "192.0.0.192", "not global"),
        ("TEST-NET-1", "192.0.2.1", "not global"),
        ("between", "192.0.1.1", "pass"),
        ("6to4 relay", "192.88.99.1", "not global"),
        ("192.168/16", "192.168.1.1", "not global"),
        ("before 192.168/16", "192.167.255.255", "pass"),
        ("after 192.168/16", "192.169.0.0", "pass"),
        ("benchmarking first", "198.18.0.0", "not global"),
        ("benchmarking last", "198.19.255.255", "not global"),
        ("after benchmarking", "198.20.0.0", "pass"),
        ("TEST-NET-2", "198.51.100.7", "not global"),
        ("TEST-NET-3", "203.0.113.7", "not global"),
        ("after TEST-NET-3", "203.0.114.0", "pass"),
        ("platform metadata", "168.63.129.16", "not global"),
        ("its neighbour", "168.63.129.17", "pass"),
        ("last unicast", "223.255.255.255", "pass"),
        ("multicast first", "224.0.0.1", "not a host"),
        ("multicast last", "239.255.255.255", "not a host"),
        ("reserved", "240.0.0.1", "not global"),
        ("broadcast", "255.255.255.255", "not a host"),
        ("IPv6 unspecified", "::", "not a host"),
        ("IPv6 loopback", "::1", "not global"),
        ("IPv4-compatible loopback", "::127.0.0.1", "not global"),
        ("IPv4-compatible public", "::8.8.8.8", "not global"),
        ("mapped loopback", "::ffff:127.0.0.1", "not global"),
        ("mapped private", "::ffff:10.1.2.3", "not global"),
        ("mapped metadata", "::ffff:a9fe:a9fe", "not global"),
        ("mapped unspecified", "::ffff:0.0.0.0", "not a host"),
        ("mapped public", "::ffff:8.8.8.8", "pass"),
        ("translated form of RFC 2765", "::ffff:0:127.0.0.1", "not global"),
        ("NAT64 to loopback", "64:ff9b::127.0.0.1", "not global"),
        ("NAT64 to private", "64:ff9b::10.0.0.1", "not global"),
        ("NAT64 to metadata", "64:ff9b::a9fe:a9fe", "not global"),
        ("NAT64 to broadcast", "64:ff9b::255.255.255.255", "not a host"),
        ("NAT64 to public", "64:ff9b::8.8.8.8", "pass"),
        ("outside the NAT64 prefix", "64:ff9b::1:8.8.8.8", "not global"),
        ("local NAT64", "64:ff9b:1::8.8.8.8", "not global"),
        ("discard", "100::1", "not global"),
        ("Teredo", "2001::1", "not global"),
        ("IPv6 benchmarking", "2001:2::1", "not global"),
        ("ORCHID", "2001:20::1", "not global"),
        ("protocol assignments, last", "2001:1ff:ffff::1", "not global"),
        ("after them", "2001:200::1", "pass"),
        ("IPv6 documentation", "2001:db8::1", "not global"),
        ("after it", "2001:db9::1", "pass"),
        ("6to4 of private", "2002:a00:1::1", "not global"),
        ("6to4 of loopback", "2002:7f00:1::", "not global"),
        ("6to4 of unspecified", "2002::1", "not a host"),
        ("6to4 of public", "2002:808:808::1", "pass"),
        ("new documentation", "3fff:fff::1", "not global"),
        ("last global unicast", "3fff:1000::1", "pass"),
        ("beyond global unicast", "4000::1", "not global"),
        ("segment routing", "5f00::1", "not global"),
        ("unique local", "fc00::1", "not global"),
        ("cloud metadata over IPv6", "fd00:ec2::254", "not global"),
        ("link-local", "fe80::1", "not global"),
        ("site-local", "fec0::1", "not global"),
        ("IPv6 multicast", "ff02::1", "not a host"),
    ];
    let guard = AddressGuard::default();
    for (name, address, expected) in rows {
        assert_eq!(verdict(&guard, address), expected, "{name}: {address}");
    }
}

#[test]
fn allowed_networks_pass_and_denied_networks_win() {
    struct Row {
        name: &'static str,
        allow: &'static [&'static str],
        deny: &'static [&'static str],
        address: &'static str,
        expected: &'static str,
    }
    let row = |name, allow, deny, address, expected| Row {
        name,
        allow,
        deny,
        address,
        expected,
    };
    let rows = [
        row("allowed", &["10.0.0.0/8"], &[], "10.1.2.3", "pass"),
        row(
            "another private network",
            &["10.0.0.0/8"],
            &[],
            "192.168.1.1",
            "not global",
        ),
        row("allowed IPv6", &["fd00::/8"], &[], "fd00::1", "pass"),
        row(
            "allowed loopback, mapped",
            &["127.0.0.0/8"],
            &[],
            "::ffff:127.0.0.1",
            "pass",
        ),
        row(
            "allowed, through NAT64",
            &["10.0.0.0/8"],
            &[],
            "64:ff9b::10.0.0.1",
            "pass",
        ),
        row(
            "allowed, through 6to4",
            &["10.0.0.0/8"],
            &[],
            "2002:a00:1::1",
            "pass",
        ),
        row(
            "IPv4-compatible is no way in",
            &["127.0.0.0/8"],
            &[],
            "::127.0.0.1",
            "not global",
        ),
        row(
            "denied although public",
            &[],
            &["8.8.8.0/24"],
            "8.8.8.8",
            "denied",
        ),
        row(
            "denied although allowed",
            &["10.0.0.0/8"],
            &["10.1.0.0/16"],
            "10.1.2.3",
            "denied",
        ),
        row(
            "the rest of it",
            &["10.0.0.0/8"],
            &["10.1.0.0/16"],
            "10.2.2.3",
            "pass",
        ),
        row(
            "allowing the part does not undo it",
            &["10.1.2.3/32"],
            &["10.0.0.0/8"],
            "10.1.2.3",
            "denied",
        ),
        row("denied, mapped", &[], &["8.8.8.0/24"], "::ffff:8.8.8.8", "denied"),
        row(
            "denied, through NAT64",
            &[],
            &["8.8.8.0/24"],
            "64:ff9b::8.8.8.8",
            "denied",
        ),
        row(
            "denied, through 6to4",
            &[],
            &["8.8.8.0/24"],
            "2002:808:808::1",
            "denied",
        ),
        row(
            "denied NAT64 prefix",
            &["0.0.0.0/0"],
            &["64:ff9b::/96"],
            "64:ff9b::8.8.8.8",
            "denied",
        ),
        row(
            "denied carried, allowed carrier",
            &["::/0"],
            &["10.0.0.0/8"],
            "64:ff9b::10.0.0.1",
            "denied",
        ),
        row(
            "everything allowed: metadata",
            &["0.0.0.0/0"],
            &[],
            "169.254.169.254",
            "pass",
        ),
        row(
            "everything allowed: unspecified",
            &["0.0.0.0/0", "::/0"],
            &[],
            "0.0.0.0",
            "not a host",
        ),
        row(
            "everything allowed: unspecified, mapped",
            &["::/0"],
            &[],
            "::ffff:0.0.0.0",
            "not a host",
        ),
        row(
            "everything allowed: multicast",
            &["0.0.0.0/0"],
            &[],
            "224.0.0.1",
            "not a host",
        ),
        row(
            "everything allowed: broadcast",
            &["0.0.0.0/0"],
            &[],
            "255.255.255.255",
            "not a host",
        ),
        row(
            "IPv6 default does not cover IPv4",
            &["::/0"],
            &[],
            "127.0.0.1",
            "not global",
        ),
    ];
    for Row {
        name,
        allow,
        deny,
        address,
        expected,
    } in rows
    {
        let guard = AddressGuard::new(networks(allow), networks(deny));
        assert_eq!(verdict(&guard, address), expected, "{name}");
    }
}

proptest! {
    #[test]
    fn an_ipv4_address_fares_the_same_in_every_wrapping(bits: u32) {
        let guard = AddressGuard::default();
        let bare = Ipv4Addr::from(bits);
        let [a, b, c, d] = bare.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let wrapped = [
            ("mapped", bare.to_ipv6_mapped()),
            ("NAT64", Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
            ("6to4", Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1)),
        ];
        for (name, address) in wrapped {
            prop_assert_eq!(guard.check(address.into()), guard.check(bare.into()), "{}: {}", name, bare);
        }
    }

    #[test]
    fn what_is_denied_never_passes(bits: u128, prefix in 0u8..=128) {
        let address = IpAddr::V6(Ipv6Addr::from(bits));
        let network = IpNet::new(address, prefix).unwrap();
        let guard = AddressGuard::new(networks(&["0.0.0.0/0", "::/0"]), vec![network]);
        let canonical = address.to_canonical();
        prop_assume!(canonical == address);
        prop_assert!(guard.check(address).is_err());
    }
}
