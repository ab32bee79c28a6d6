use super::*;
use crate::domain::ChannelVersion;
use portreeve_pkix::der;
use portreeve_pkix::{DistinguishedName, Oid};

/// A request with this challenge password. It is not signed: linking does not look at that.
fn saying(password: Option<&str>) -> ProvenRequest {
    let key = hex::decode(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    let attributes = password.map_or_else(Vec::new, |password| {
        let value = der::tlv(der::tag::UTF8_STRING, password.as_bytes());
        vec![der::sequence(&[
            Oid::CHALLENGE_PASSWORD.to_der(),
            der::set_of(vec![value]),
        ])]
    });
    let info = der::sequence(&[
        der::unsigned_integer(&[0]),
        DistinguishedName::common_name("a").to_der(),
        key.unwrap(),
        der::constructed(der::tag::context_constructed(0), &attributes),
    ]);
    let algorithm = der::sequence(&["1.3.101.112".parse::<Oid>().unwrap().to_der()]);
    let request = der::sequence(&[info, algorithm, der::bit_string(&[0; 64])]);
    ProvenRequest {
        request: CertificationRequest::from_der(&request).unwrap(),
    }
}

fn channel(version: ChannelVersion, extended_master_secret: bool) -> Channel {
    Channel {
        version,
        extended_master_secret,
        exporter: Some([7; 32]),
    }
}

#[test]
fn what_a_request_says_about_its_channel_must_hold() {
    use BindingRejection::{Missing, NoBinding, TlsUnique, Wrong};
    use ChannelVersion::{Tls12, Tls13};
    use Linking::{Optional, Required};
    let right = STANDARD.encode([7; 32]);
    let wrong = STANDARD.encode([8; 32]);
    let unique = STANDARD.encode([7; 12]);
    let tls13 = Some(channel(Tls13, false));
    let tls12 = Some(channel(Tls12, false));
    let ems = Some(channel(Tls12, true));
    let rows: [(_, Option<&str>, _, _, Result<(), BindingRejection>); 17] = [
        ("nothing", None, tls13, Optional, Ok(())),
        (
            "nothing, where something must be",
            None,
            tls13,
            Required,
            Err(Missing),
        ),
        ("right", Some(&right), tls13, Optional, Ok(())),
        ("right, where it must be", Some(&right), tls13, Required, Ok(())),
        ("of another channel", Some(&wrong), tls13, Optional, Err(Wrong)),
        (
            "of another channel, where it must be right",
            Some(&wrong),
            tls13,
            Required,
            Err(Wrong),
        ),
        (
            "no value at all",
            Some("A challenge"),
            tls13,
            Optional,
            Err(Wrong),
        ),
        ("empty", Some(" "), tls13, Optional, Err(Wrong)),
        ("tls-unique", Some(&unique), tls13, Optional, Err(TlsUnique)),
        (
            "tls-unique on TLS 1.2",
            Some(&unique),
            tls12,
            Optional,
            Err(TlsUnique),
        ),
        ("TLS 1.2", Some(&right), tls12, Optional, Err(NoBinding)),
        ("TLS 1.2 and nothing said", None, tls12, Optional, Ok(())),
        (
            "TLS 1.2 and nothing said, where it must be",
            None,
            tls12,
            Required,
            Err(Missing),
        ),
        (
            "TLS 1.2 with an extended master secret",
            Some(&right),
            ems,
            Required,
            Ok(()),
        ),
        (
            "of another channel of TLS 1.2",
            Some(&wrong),
            ems,
            Optional,
            Err(Wrong),
        ),
        (
            "where the attribute means something else",
            Some(&wrong),
            None,
            Optional,
            Ok(()),
        ),
        (
            "no channel to be linked to",
            Some(&right),
            None,
            Required,
            Err(NoBinding),
        ),
    ];
    for (name, said, channel, linking, expected) in rows {
        assert_eq!(
            linked(&saying(said), channel.as_ref(), linking),
            expected,
            "{name}"
        );
    }
    let silent = Channel {
        exporter: None,
        ..channel(Tls13, false)
    };
    let nothing_exported = linked(&saying(Some(&right)), Some(&silent), Optional);
    assert_eq!(nothing_exported, Err(NoBinding));
}
