//! Certificates of somebody else's CA: manufacturers, and those who ask for others.

use portreeve_ra::{AllowedNames, CertificateRejection as Rejection, Registration};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::*;

/// The serialNumber of a subject.
fn serial_number() -> DnType {
    DnType::CustomDnType(vec![2, 5, 4, 5])
}

/// A CA of somebody else.
struct Maker {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

impl Maker {
    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    /// A CA below this one.
    fn below(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), KeyPair::generate().unwrap());
        let issuer = Issuer::from_params(&self.params, &self.key);
        let der = params.signed_by(&key, &issuer).unwrap().der().to_vec();
        Self { params, key, der }
    }

    /// A certificate of this CA with this serialNumber, changed by this.
    fn device(&self, serial: &str, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(serial_number(), serial);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(9999, 1, 1));
        change(&mut params);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let key = KeyPair::generate().unwrap();
        params.signed_by(&key, &issuer).unwrap().der().to_vec()
    }

    fn text(&self) -> String {
        use base64::Engine;
        let body = base64::engine::general_purpose::STANDARD.encode(&self.der);
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let pem = lines.join("\n");
        format!(
            "description = \"test\"\ncertificates = '''\n-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n'''\n"
        )
    }
}

fn showing(chain: &[&[u8]]) -> Credential {
    Credential::Certificate {
        chain: chain.iter().map(|der| der.to_vec()).collect(),
    }
}

fn rejected(rejection: Rejection) -> Refusal {
    Refusal::ClientCertificate(rejection)
}

const FACTORY: &str = "client_trust = [\"factory\"]\n";

async fn factory(text: &str) -> (Fleet, Maker) {
    let fleet = Fleet::start(&format!("{FACTORY}{text}")).await;
    let maker = Maker::new("Factory CA");
    fleet
        .authority
        .put(ObjectKind::TrustAnchors, "factory", &maker.text())
        .await;
    (fleet, maker)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_of_a_trusted_maker_enrols_as_its_registration() {
    let (fleet, maker) = factory("").await;
    let press = fleet
        .register(Registration {
            names: AllowedNames::Only(vec!["press.test".parse().unwrap()]),
            ..Registration::named("SN-7")
        })
        .await;
    let device = maker.device("SN-7", |_| {});
    let request = Csr::with(&[], &["press.test"]).anew();
    let made = certified(fleet.enroll(showing(&[&device]), &request).await);
    let application = fleet.application(made.enrollment).await;
    assert_eq!(application.registration, Some(press.id));
    assert_eq!(
        application.shown.chain,
        std::slice::from_ref(&device),
        "kept as evidence"
    );
    let again = certified(fleet.enroll(showing(&[&device]), &request).await);
    assert_eq!(made.certificate, again.certificate, "the poll");

    let other = Csr::with(&[], &["lathe.test"]).anew();
    let answer = fleet.enroll(showing(&[&device]), &other).await;
    let names = matches!(answer, Err(Error::Refused(Refusal::Names(_))));
    assert!(names, "names of another: {answer:?}");

    let called = Csr::with(&[(DnType::CommonName, "SN-7")], &["press.test"]).anew();
    certified(fleet.enroll(showing(&[&device]), &called).await);
    let pretends = Csr::with(&[(DnType::CommonName, "SN-8")], &["press.test"]).anew();
    let answer = fleet.enroll(showing(&[&device]), &pretends).await;
    let names = matches!(answer, Err(Error::Refused(Refusal::Names(_))));
    assert!(names, "called like another: {answer:?}");

    let unknown = maker.device("SN-8", |_| {});
    let answer = fleet.enroll(showing(&[&unknown]), &request).await;
    refused("nobody known", answer, &rejected(Rejection::NotRegistered));
    let nameless = maker.device("SN-7", |params| {
        params.distinguished_name.push(DnType::CommonName, "x")
    });
    certified(
        fleet
            .enroll(showing(&[&nameless]), &Csr::with(&[], &["press.test"]).anew())
            .await,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_the_endpoint_does_not_trust_it_does_not_let_in() {
    let (fleet, maker) = factory("client_registration = \"nobody\"\n").await;
    fleet
        .endpoint("est/other", "client_registration = \"nobody\"\n")
        .await;
    let request = Csr::of("press").anew();
    let good = maker.device("SN-7", |_| {});
    certified(fleet.enroll(showing(&[&good]), &request).await);

    let twin = Maker::new("Factory CA");
    let between = maker.below("Line 4");
    let below = between.device("SN-9", |_| {});
    certified(
        fleet
            .enroll(showing(&[&below, &between.der]), &Csr::of("below").anew())
            .await,
    );
    let expired = maker.device("SN-7", |params| params.not_after = date_time_ymd(2021, 1, 1));
    let early = maker.device("SN-7", |params| params.not_before = date_time_ymd(9998, 1, 1));
    let server = maker.device("SN-7", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let client = maker.device("SN-7", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    certified(fleet.enroll(showing(&[&client]), &Csr::of("client").anew()).await);
    let stranger = twin.device("SN-7", |_| {});
    let own = Maker::new("Own CA").device("SN-7", |_| {});
    let nine: Vec<&[u8]> = std::iter::repeat_n(good.as_slice(), 9).collect();
    let rows: [(_, Credential, Rejection); 9] = [
        ("an unknown maker", showing(&[&own]), Rejection::Untrusted),
        (
            "a maker of the same name",
            showing(&[&stranger]),
            Rejection::Untrusted,
        ),
        (
            "with its own anchor",
            showing(&[&stranger, &twin.der]),
            Rejection::Untrusted,
        ),
        ("a link is missing", showing(&[&below]), Rejection::Untrusted),
        ("expired", showing(&[&expired]), Rejection::Expired),
        ("not valid yet", showing(&[&early]), Rejection::NotYetValid),
        ("for servers", showing(&[&server]), Rejection::Purpose),
        ("the anchor itself", showing(&[&maker.der]), Rejection::Purpose),
        ("too many", showing(&nine), Rejection::TooLong),
    ];
    for (name, credential, rejection) in rows {
        let answer = fleet.enroll(credential, &Csr::of("press").anew()).await;
        refused(name, answer, &rejected(rejection));
    }
    let elsewhere = portreeve_ra::EnrollmentRequest {
        endpoint: at("est/other"),
        ..fleet.request(showing(&[&good]), &request)
    };
    let answer = fleet.ra().enroll(elsewhere).await;
    refused(
        "anchors of another endpoint",
        answer,
        &rejected(Rejection::Untrusted),
    );
    // The set is taken out of force: a name that leads nowhere lets nobody in.
    fleet.endpoint(DEVICES, "client_trust = [\"absent\"]\n").await;
    let answer = fleet.enroll(showing(&[&good]), &Csr::of("press").anew()).await;
    refused(
        "anchors that are not there",
        answer,
        &rejected(Rejection::Untrusted),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_enrolment_by_renewal_is_refused_unless_the_endpoint_takes_it() {
    let (fleet, maker) = factory("client_registration = \"nobody\"\n").await;
    let device = maker.device("SN-7", |_| {});
    let request = Csr::of("press").anew();
    let answer = fleet.renew(showing(&[&device]), &request).await;
    refused("by default", answer, &Refusal::NotOffered);
    fleet
        .endpoint(
            DEVICES,
            &format!("{FACTORY}client_registration = \"nobody\"\nrenew_first = true\n"),
        )
        .await;
    certified(fleet.renew(showing(&[&device]), &request).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_others_needs_the_purpose_and_the_word_of_the_endpoint() {
    let fleet = Fleet::start(ANY_TIME).await;
    let maker = Maker::new("RA CA");
    fleet
        .authority
        .put(ObjectKind::TrustAnchors, "ras", &maker.text())
        .await;
    let cmc_ra = || ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 28]);
    let ra = maker.device("RA-1", |params| params.extended_key_usages = vec![cmc_ra()]);
    let plain = maker.device("RA-1", |_| {});
    let untrusted = rejected(Rejection::Untrusted);
    let answer = fleet.enroll(showing(&[&ra]), &Csr::of("a").anew()).await;
    refused("the purpose alone", answer, &untrusted);
    fleet
        .endpoint(
            DEVICES,
            &format!("{ANY_TIME}ra_trust = [\"ras\"]\nlinking = \"required\"\n"),
        )
        .await;
    let answer = fleet.enroll(showing(&[&plain]), &Csr::of("a").anew()).await;
    refused("the anchor alone", answer, &untrusted);
    let passed_on = Csr::of("a").saying("a value that was bound elsewhere").anew();
    let through = |operation| portreeve_ra::EnrollmentRequest {
        operation,
        channel: Some(portreeve_ra::Channel {
            version: portreeve_ra::ChannelVersion::Tls13,
            extended_master_secret: false,
            exporter: Some([7; 32]),
        }),
        ..fleet.request(showing(&[&ra]), &passed_on)
    };
    let made = certified(fleet.ra().enroll(through(Operation::Enroll)).await);
    assert!(fleet.application(made.enrollment).await.shown.for_others);
    certified(fleet.ra().enroll(through(Operation::Renew)).await);
}

/// Lets certificates be for those who ask for others.
async fn for_those_who_ask(fleet: &Fleet) {
    let objects = fleet.ra().objects();
    let profile = objects
        .current(ObjectKind::Profile, "dev")
        .await
        .unwrap()
        .unwrap();
    let profile = profile.body.replace(
        "fixed = [\"serverAuth\", \"clientAuth\"]",
        "fixed = [\"serverAuth\", \"clientAuth\", \"1.3.6.1.5.5.7.3.28\"]",
    );
    fleet.authority.put(ObjectKind::Profile, "dev", &profile).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ra_with_a_certificate_of_ours_is_named_by_its_registration() {
    let fleet = Fleet::start(ANY_TIME).await;
    for_those_who_ask(&fleet).await;
    let ra = fleet.device("ra").await;
    let others = Csr::of("press").anew();
    let answer = fleet.enroll(ra.credential(), &others).await;
    refused("the purpose alone", answer, &Refusal::NotItsNames);
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}ra_registrations = [\"ra\"]\n"))
        .await;
    let made = certified(fleet.enroll(ra.credential(), &others).await);
    assert!(fleet.application(made.enrollment).await.shown.for_others);
    let own = certified(fleet.renew(ra.credential(), &ra.request).await);
    let application = fleet.application(own.enrollment).await;
    assert!(
        !application.shown.for_others && application.shown.renewal.is_some(),
        "its own"
    );
    let press = fleet.device("press").await;
    let answer = fleet.renew(press.credential(), &ra.request).await;
    refused("somebody else", answer, &Refusal::NotItsNames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_an_ra_asked_for_is_no_ra() {
    let fleet = Fleet::start(ANY_TIME).await;
    for_those_who_ask(&fleet).await;
    let known = fleet.register(any("ra")).await;
    let secret = fleet
        .secret(&known, portreeve_ra::SecretKind::EstPassword, None)
        .await;
    let ra = certified(fleet.enroll(password(&secret), &Csr::of("ra").anew()).await);
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}ra_registrations = [\"ra\"]\n"))
        .await;
    let request = Csr::of("press").anew();
    let press = certified(fleet.enroll(certificate(&ra), &request).await);
    let others = Csr::of("lathe").anew();
    let answer = fleet.enroll(certificate(&press), &others).await;
    refused("a device", answer, &Refusal::NotItsNames);
    let renewed = certified(fleet.renew(certificate(&press), &request).await);
    assert!(fleet.application(renewed.enrollment).await.shown.for_others);
    let answer = fleet.enroll(certificate(&renewed), &others).await;
    refused("a device that renewed", answer, &Refusal::NotItsNames);

    // By a password it asks for others as well, and its own certificate is not told from theirs.
    let lathe = certified(fleet.enroll(password(&secret), &others).await);
    let answer = fleet.enroll(certificate(&lathe), &Csr::of("saw").anew()).await;
    refused("a device, by a password", answer, &Refusal::NotItsNames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ra_asks_where_its_certificate_is_from_and_where_that_endpoint_is_listed() {
    let fleet = Fleet::start(ANY_TIME).await;
    for_those_who_ask(&fleet).await;
    let ra = fleet.device("ra").await;
    let other = |more: &str| format!("{ANY_TIME}ra_registrations = [\"ra\"]\n{more}");
    fleet.endpoint("est/other", &other("")).await;
    let elsewhere = || portreeve_ra::EnrollmentRequest {
        endpoint: at("est/other"),
        ..fleet.request(ra.credential(), &Csr::of("press").anew())
    };
    let answer = fleet.ra().enroll(elsewhere()).await;
    refused(
        "an endpoint that does not know of it",
        answer,
        &rejected(Rejection::Elsewhere),
    );
    fleet
        .endpoint("est/other", &other("renew_from = [\"est/devices\"]\n"))
        .await;
    let made = certified(fleet.ra().enroll(elsewhere()).await);
    assert!(fleet.application(made.enrollment).await.shown.for_others);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_once_ends_with_its_anchor() {
    let (fleet, maker) = factory("client_registration = \"nobody\"\n").await;
    let device = maker.device("SN-7", |_| {});
    let enroll = || async {
        let request = Csr::with(&[], &["press.test"]).anew();
        fleet.enroll(showing(&[&device]), &request).await
    };
    certified(enroll().await);
    certified(enroll().await);
    let other = Maker::new("Factory CA");
    let anchors = |maker: &Maker| (ObjectKind::TrustAnchors, "factory", maker.text());
    let (kind, name, text) = anchors(&other);
    fleet.authority.put(kind, name, &text).await;
    refused(
        "another of that name",
        enroll().await,
        &rejected(Rejection::Untrusted),
    );
    let (kind, name, text) = anchors(&maker);
    fleet.authority.put(kind, name, &text).await;
    certified(enroll().await);
}

/// Once the habits of an endpoint are known, all that a request is judged by comes in one message; and what has changed since
/// they were learnt counts all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_read_for_once_and_judged_by_what_is_in_force() {
    let (fleet, maker) = factory("client_registration = \"nobody\"\n").await;
    let device = |number: u32| maker.device(&format!("SN-{number}"), |_| {});
    certified(fleet.enroll(showing(&[&device(1)]), &Csr::of("one").anew()).await);
    let asked = || fleet.authority.store.statistics().questions;
    for number in 2..5 {
        let (device, request) = (device(number), Csr::of(&format!("d{number}")).anew());
        let before = asked();
        certified(fleet.enroll(showing(&[&device]), &request).await);
        // One for the request, one for the serial number that this CA chose by itself.
        assert_eq!(asked() - before, 2, "messages of reading for device {number}");
    }

    let newer = Maker::new("Newer CA");
    let trusts = |name: &str| format!("client_trust = [\"{name}\"]\nclient_registration = \"nobody\"\n");
    fleet
        .authority
        .put(ObjectKind::TrustAnchors, "newer", &newer.text())
        .await;
    fleet.endpoint(DEVICES, &trusts("newer")).await;
    // What was asked for then and is not any more need not even be readable.
    let was = portreeve_ra::ObjectVersion::stream(ObjectKind::TrustAnchors, "factory");
    let octets: String = was.id.iter().map(|octet| format!("{octet:02x}")).collect();
    let file = fleet.authority.directory.path().join("portreeve.db");
    let mut writer = SqliteConnectOptions::new()
        .filename(file)
        .connect()
        .await
        .unwrap();
    let damage = format!("UPDATE record SET header = x'00' WHERE stream = x'{octets}'");
    let damaged = writer.execute(AssertSqlSafe(damage)).await.unwrap();
    assert_eq!(damaged.rows_affected(), 1);
    let its = newer.device("SN-6", |_| {});
    certified(fleet.enroll(showing(&[&its]), &Csr::of("six").anew()).await);
    assert_eq!(incidents(&fleet.authority).await, Vec::<String>::new());
    let answer = fleet
        .enroll(showing(&[&device(5)]), &Csr::of("five").anew())
        .await;
    refused("trusted before", answer, &rejected(Rejection::Untrusted));

    let publisher = || crate::judgement::publisher(&fleet.authority);
    let objects = fleet.ra().objects();
    let taken = objects.retire(ObjectKind::TrustAnchors, "newer", publisher());
    taken.await.unwrap();
    let answer = fleet.enroll(showing(&[&its]), &Csr::of("seven").anew()).await;
    refused("anchors out of force", answer, &rejected(Rejection::Untrusted));
    let taken = objects.retire(ObjectKind::Endpoint, DEVICES, publisher());
    taken.await.unwrap();
    let answer = fleet.enroll(showing(&[&its]), &Csr::of("eight").anew()).await;
    refused("endpoint out of force", answer, &Refusal::UnknownEndpoint);
}
