//! TLS as clients meet it: versions, certificates of both sides, and what an edge hears of them.

use portreeve_edge::{TlsPeer, TlsVersion};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::*;

/// A self-signed certificate for `localhost` with its key.
fn certificate() -> (CertificateDer<'static>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.der().clone(), made.signing_key.serialize_der())
}

fn connector(
    root: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn over_tls(running: &Running, connector: &TlsConnector) -> std::io::Result<(String, String)> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, connect(running).await).await?;
    let group = stream
        .get_ref()
        .1
        .negotiated_key_exchange_group()
        .map(|group| format!("{:?}", group.name()));
    send(&mut stream, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    Ok((response(&mut stream).await, group.unwrap_or_default()))
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_served_with_the_post_quantum_group_first() {
    let (root, key) = certificate();
    let current = Arc::new(CurrentCertificate::default());
    current.replace(vec![root.to_vec()], &key).unwrap();
    let running = start(limits(), Some(current));
    let rows = [
        ("TLS 1.3", &rustls::version::TLS13, "X25519MLKEM768"),
        ("TLS 1.2", &rustls::version::TLS12, "X25519"),
    ];
    for (name, version, expected) in rows {
        let (text, group) = over_tls(&running, &connector(&root, &[version])).await.unwrap();
        assert!(text.ends_with("length 0"), "{name}: {text}");
        assert_eq!(group, expected, "{name}");
    }
}

/// A server that asks clients so, and a root that its own certificate is checked by.
fn asking(
    clients: ClientCertificates,
    secret: ExtendedMasterSecret,
    binding: ChannelBinding,
) -> (Running, CertificateDer<'static>) {
    let (root, key) = certificate();
    let current = Arc::new(CurrentCertificate::default());
    current.replace(vec![root.to_vec()], &key).unwrap();
    (
        start_asking(limits(), Some(current), ((clients, secret), binding)),
        root,
    )
}

#[tokio::test]
async fn an_edge_hears_what_tls_knows() {
    use ChannelBinding::{All, Tls13, Unused};
    use ExtendedMasterSecret::{Optional, Required};
    let (new, old) = (&rustls::version::TLS13, &rustls::version::TLS12);
    let rows = [
        ("1.3", Optional, Tls13, (TlsVersion::Tls13, new), true),
        (
            "1.2, which may not bind",
            Optional,
            Tls13,
            (TlsVersion::Tls12, old),
            false,
        ),
        ("1.2, which does", Required, All, (TlsVersion::Tls12, old), true),
        ("1.3 there as well", Required, All, (TlsVersion::Tls13, new), true),
        (
            "nobody wants to know",
            Optional,
            Unused,
            (TlsVersion::Tls13, new),
            false,
        ),
    ];
    for (case, secret, binding, (expected, version), shown) in rows {
        let (running, root) = asking(ClientCertificates::NotAsked, secret, binding);
        let connector = connector(&root, &[version]);
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = connector.connect(name, connect(&running).await).await.unwrap();
        let exported = stream
            .get_ref()
            .1
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
            .unwrap();
        let known = TlsPeer {
            certificates: Vec::new(),
            sni: Some("localhost".to_owned()),
            exporter: shown.then_some(exported),
            version: expected,
        };
        send(&mut stream, "GET /peer/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let text = response(&mut stream).await;
        assert!(text.ends_with(&format!("{:?}", Some(known))), "{case}: {text}");
    }
    let plain = start(limits(), None);
    let mut stream = connect(&plain).await;
    send(&mut stream, "GET /peer/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(response(&mut stream).await.ends_with("None"));
}

/// Shows this certificate and signs with this key, fitting or not.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        assert!(hints.is_empty(), "no CA is named");
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A certificate of nobody known, whose validity is over, and its key.
fn expired() -> (CertificateDer<'static>, Arc<dyn SigningKey>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(["device.test".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let made = parameters.self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).unwrap();
    (made.der().clone(), key)
}

fn showing(
    root: &CertificateDer<'static>,
    version: &'static rustls::SupportedProtocolVersion,
    shown: CertifiedKey,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(Arc::new(Shows(Arc::new(shown))));
    config.enable_early_data = true;
    config
}

async fn shown_to(running: &Running, config: &Arc<ClientConfig>) -> std::io::Result<(String, HandshakeKind)> {
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::clone(config));
    let mut stream = connector.connect(name, connect(running).await).await?;
    stream
        .write_all(b"GET /peer/ HTTP/1.1\r\nhost: a\r\n\r\n")
        .await?;
    let mut first = [0; 1];
    stream.read_exact(&mut first).await?;
    let text = format!("{}{}", char::from(first[0]), response(&mut stream).await);
    Ok((text, stream.get_ref().1.handshake_kind().unwrap()))
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_and_possession_of_its_key_alone_is_checked() {
    let asked = ClientCertificates::Asked;
    let (running, root) = asking(asked, ExtendedMasterSecret::Optional, ChannelBinding::Tls13);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (text, _) = over_tls(&running, &connector(&root, &[version])).await.unwrap();
        assert!(text.ends_with("length 0"), "none is shown: {text}");

        let (certificate, key) = expired();
        let shown = CertifiedKey::new(vec![certificate.clone()], key);
        let config = Arc::new(showing(&root, version, shown));
        let (text, _) = shown_to(&running, &config).await.unwrap();
        assert!(
            text.contains(&format!("{:?}", vec![certificate.to_vec()])),
            "{text}"
        );

        let (_, another) = expired();
        let shown = CertifiedKey::new(vec![certificate], another);
        let config = Arc::new(showing(&root, version, shown));
        assert!(
            shown_to(&running, &config).await.is_err(),
            "{version:?}: another's certificate"
        );
    }
}

#[tokio::test]
async fn a_resumed_connection_shows_the_same_certificate_and_takes_no_early_data() {
    let asked = ClientCertificates::Asked;
    let (running, root) = asking(asked, ExtendedMasterSecret::Optional, ChannelBinding::Tls13);
    let (certificate, key) = expired();
    let shown = CertifiedKey::new(vec![certificate.clone()], key);
    let config = Arc::new(showing(&root, &rustls::version::TLS13, shown));
    let (_, first) = shown_to(&running, &config).await.unwrap();
    assert_ne!(first, HandshakeKind::Resumed);
    let name = ServerName::try_from("localhost").unwrap();
    let mut begun = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
    assert!(begun.early_data().is_none(), "the ticket allows none");
    let (text, second) = shown_to(&running, &config).await.unwrap();
    assert_eq!(second, HandshakeKind::Resumed);
    assert!(
        text.contains(&format!("{:?}", vec![certificate.to_vec()])),
        "{text}"
    );
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let current = Arc::new(CurrentCertificate::default());
    let running = start(limits(), Some(Arc::clone(&current)));
    let versions = [&rustls::version::TLS13];
    let (first, first_key) = certificate();
    assert!(
        over_tls(&running, &connector(&first, &versions)).await.is_err(),
        "there is none yet"
    );
    current.replace(vec![first.to_vec()], &first_key).unwrap();
    over_tls(&running, &connector(&first, &versions)).await.unwrap();

    let (second, second_key) = certificate();
    current.replace(vec![second.to_vec()], &second_key).unwrap();
    over_tls(&running, &connector(&second, &versions)).await.unwrap();
    assert!(
        over_tls(&running, &connector(&first, &versions)).await.is_err(),
        "the old one is gone"
    );

    assert!(
        current.replace(vec![second.to_vec()], &first_key).is_err(),
        "a key of another certificate"
    );
    over_tls(&running, &connector(&second, &versions)).await.unwrap();
}

#[tokio::test]
async fn a_handshake_that_does_not_begin_is_given_up() {
    let (root, key) = certificate();
    let current = Arc::new(CurrentCertificate::default());
    current.replace(vec![root.to_vec()], &key).unwrap();
    let brief = LimitsSection {
        handshake_timeout: BRIEF,
        ..limits()
    };
    let running = start(brief, Some(current));
    let mut silent = connect(&running).await;
    assert_eq!(until_closed(&mut silent).await, "");
}

#[tokio::test]
async fn who_does_not_come_back_is_told_the_end_of_the_connection() {
    let (root, key) = certificate();
    let current = Arc::new(CurrentCertificate::default());
    current.replace(vec![root.to_vec()], &key).unwrap();
    let running = start(limits(), Some(current));
    let connector = connector(&root, &[&rustls::version::TLS13]);
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, connect(&running).await).await.unwrap();
    send(
        &mut stream,
        "GET /who/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    let mut octets = Vec::new();
    // Without the closing alert this is an error.
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut octets)).await;
    ended.unwrap().unwrap();
    assert!(octets.starts_with(b"HTTP/1.1 401"));
}
