//! Who may enrol: passwords, tokens, certificates of manufacturers, and several of them (case 4).

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr, Identity, Issuer};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};

use super::support::{control, dev, enrolled, fresh, json, publish, registration, secret};

fn csr(name: &str) -> Vec<u8> {
    Csr::new(name, &[name]).der()
}

/// A name of a registration after that of a test's name.
fn who(name: &str) -> String {
    name.replace('.', "-")
}

#[test]
fn the_user_of_dev_enrols_any_number_of_times() {
    let site = Site::shared();
    for label in ["default", "short"] {
        for _ in 0..2 {
            let name = fresh("dev");
            let client = Client::new(site, label).as_dev(site);
            let certificate = client.post("simpleenroll", &csr(&name)).certificate();
            assert_eq!(
                certificate.subject().common_names().collect::<Vec<_>>(),
                [name.as_str()]
            );
        }
    }
}

#[test]
fn the_same_request_has_the_same_certificate() {
    let site = Site::shared();
    let request = csr(&fresh("retry"));
    let first = dev(site).post("simpleenroll", &request).certificate();
    let again = dev(site).post("simpleenroll", &request).certificate();
    assert_eq!(first.serial(), again.serial());
}

#[test]
fn what_is_not_right_is_refused() {
    let site = Site::shared();
    let name = fresh("wrong");
    let (user, password) = registration(site, &who(&name), (&[&name], "est-password"));
    let client = || Client::new(site, "default");
    let rows = [
        ("nothing", client()),
        ("another password", client().as_user(&user, "guess")),
        ("no password", client().as_user(&user, "")),
        ("somebody unknown", client().as_user("nobody", &password)),
        (
            "another scheme",
            client().with_authorization("Digest username=\"dev\""),
        ),
        ("no base64", client().with_authorization("Basic ???")),
        ("no colon", client().with_authorization("Basic ZGV2")),
        ("a token that is none", client().with_authorization("Bearer x")),
        (
            "an unknown token",
            client().with_authorization("Bearer abcdefgh.abcdefghabcdefghabcdefgh"),
        ),
        ("a secret of another kind", {
            let (reference, value) = secret(site, &who(&name), &["--kind", "scep-challenge"]);
            client().as_user(&reference, &value)
        }),
    ];
    let request = csr(&name);
    for (case, client) in rows {
        let answer = client.post("simpleenroll", &request);
        assert_eq!(answer.status(), 401, "{case}: {}", answer.text());
    }
    client()
        .as_user(&user, &password)
        .post("simpleenroll", &request)
        .certificate();
}

#[test]
fn a_password_is_good_for_the_names_of_its_registration() {
    let site = Site::shared();
    let name = fresh("mine");
    let (user, password) = registration(site, &who(&name), (&[&name], "est-password"));
    let client = Client::new(site, "default").as_user(&user, &password);
    client.post("simpleenroll", &csr(&fresh("theirs"))).expect(403);
    client.post("simpleenroll", &csr(&name)).certificate();
    control(site, &["registration", "suspend", &who(&name)]);
    let answer = client.post("simpleenroll", &csr(&name));
    assert_eq!(answer.status(), 403, "{}", answer.text());
}

#[test]
fn a_password_for_one_use_fetches_what_it_was_used_for_and_nothing_else() {
    let site = Site::shared();
    let name = fresh("once");
    control(
        site,
        &[
            "registration",
            "create",
            &who(&name),
            "--allow",
            &name,
            "--vouched",
        ],
    );
    let (user, password) = secret(site, &who(&name), &["--kind", "est-password"]);
    let client = Client::new(site, "approval").as_user(&user, &password);
    let request = csr(&name);
    client.post("simpleenroll", &request).expect(202);
    client.post("simpleenroll", &request).expect(202);
    client.post("simpleenroll", &csr(&name)).expect(401);
}

#[test]
fn a_token_enrols() {
    let site = Site::shared();
    let name = fresh("token");
    let (_, token) = registration(site, &who(&name), (&[&name], "enrollment-token"));
    let client = || Client::new(site, "default");
    let bearer = client().with_authorization(&format!("Bearer {token}"));
    bearer.post("simpleenroll", &csr(&name)).certificate();
    let wrong = client().with_authorization(&format!("Bearer {token}x"));
    wrong.post("simpleenroll", &csr(&name)).expect(401);
}

#[test]
fn endpoints_accept_what_they_say() {
    let site = Site::own(&[
        "endpoint.est.passwords.authentication=[\"password\"]",
        "endpoint.est.passwords.names=profile",
        "endpoint.est.tokens.authentication=[\"token\"]",
        "endpoint.est.holders.authentication=[\"certificate\"]",
        "endpoint.est.holders.renew_from=[\"est/default\"]",
        "endpoint.est.passwords.renew_from=[\"est/default\"]",
    ]);
    let name = fresh("accepts");
    let (_, identity) = enrolled(&site, "default", &Csr::new(&name, &[&name]));
    let nobody = |label| Client::new(&site, label);
    let bearer = nobody("tokens").post("simpleenroll", &csr(&name)).0;
    assert_eq!(bearer.status, 401);
    assert!(bearer.header("www-authenticate").unwrap().starts_with("Bearer "));
    nobody("holders").post("simpleenroll", &csr(&name)).expect(403);
    nobody("tokens")
        .as_dev(&site)
        .post("simpleenroll", &csr(&name))
        .expect(401);
    nobody("holders")
        .as_dev(&site)
        .post("simpleenroll", &csr(&name))
        .expect(403);
    let holder = nobody("passwords").showing(&identity);
    let answer = holder.post("simplereenroll", &csr(&name));
    assert!(matches!(answer.status(), 401 | 403), "{}", answer.text());
    nobody("passwords")
        .as_dev(&site)
        .post("simpleenroll", &csr(&name))
        .certificate();
}

/// An endpoint that trusts a manufacturer, and the manufacturer. Its devices are registered by their serial numbers.
fn manufacturer(site: &Site, label: &str, more: &str) -> Issuer {
    let issuer = Issuer::new(&format!("Manufacturer {label}"));
    let anchors = format!("certificates = '''\n{}'''\n", issuer.pem());
    publish(site, "trust-anchors", label, &anchors);
    let text = format!(
        "profiles = [\"dev\"]\nbackend = \"issuing\"\nnames = \"profile\"\nclient_trust = [\"{label}\"]\nrenew_window = \"any\"\n{more}\n"
    );
    publish(site, "endpoint", &format!("est/{label}"), &text);
    issuer
}

#[test]
fn a_device_of_a_trusted_manufacturer_enrols() {
    let site = Site::shared();
    let label = "maker-a";
    let issuer = manufacturer(site, label, "");
    let name = fresh("device");
    let serial = format!("SN-{}", who(&name));
    control(
        site,
        &["registration", "create", &serial, "--allow", &name, "--vouched"],
    );
    let device = issuer.device(&serial);
    let client = Client::new(site, label).showing(&device);
    let key = Csr::new(&name, &[&name]);
    let certificate = client.post("simpleenroll", &key.der()).certificate();
    client.post("simpleenroll", &csr(&fresh("theirs"))).expect(403);
    // What it got renews, and that of the manufacturer does not.
    let holder = Client::new(site, label).showing(&Identity::issued(&certificate, key.key()));
    holder.post("simpleenroll", &csr(&fresh("theirs"))).expect(403);
    let refused = client.post("simplereenroll", &csr(&name));
    assert!(matches!(refused.status(), 401 | 403), "{}", refused.text());
}

#[test]
fn the_devices_of_others_do_not() {
    let site = Site::shared();
    let issuer = manufacturer(site, "maker-b", "");
    let other = manufacturer(site, "maker-c", "");
    let name = fresh("stranger");
    let serial = format!("SN-{}", who(&name));
    control(
        site,
        &["registration", "create", &serial, "--allow", &name, "--vouched"],
    );
    let expired = issuer.certify(|parameters| {
        parameters
            .distinguished_name
            .push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial.as_str());
        parameters.not_before = rcgen::date_time_ymd(2001, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2002, 1, 1);
    });
    let early = issuer.certify(|parameters| {
        parameters
            .distinguished_name
            .push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial.as_str());
        parameters.not_before = rcgen::date_time_ymd(2090, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2091, 1, 1);
    });
    let server = issuer.certify(|parameters: &mut CertificateParams| {
        parameters
            .distinguished_name
            .push(DnType::CustomDnType(vec![2, 5, 4, 5]), serial.as_str());
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let rows = [
        (
            "of an unknown manufacturer",
            Issuer::new("Manufacturer maker-b").device(&serial),
        ),
        ("of the manufacturer of another endpoint", other.device(&serial)),
        ("that nobody has registered", issuer.device("SN-unknown")),
        ("without a serial number", issuer.certify(|_| ())),
        ("whose time is over", expired),
        ("whose time has not come", early),
        ("that is for servers", server),
    ];
    for (case, device) in rows {
        let client = Client::new(site, "maker-b").showing(&device);
        let answer = client.post("simpleenroll", &csr(&name));
        assert!(
            matches!(answer.status(), 401 | 403),
            "{case}: {} {}",
            answer.status(),
            answer.text()
        );
        // It may know a password.
        let with_password = client.as_dev(site).post("simpleenroll", &csr(&fresh("with")));
        assert_eq!(with_password.status(), 200, "{case}: {}", with_password.text());
    }
    let good = Client::new(site, "maker-b").showing(&issuer.device(&serial));
    good.post("simpleenroll", &csr(&name)).certificate();
}

#[test]
fn each_endpoint_of_a_listener_trusts_its_own_manufacturers() {
    let site = Site::shared();
    let (one, two) = ("maker-e", "maker-f");
    let makers = [
        (one, manufacturer(site, one, "")),
        (two, manufacturer(site, two, "")),
    ];
    for (label, issuer) in &makers {
        let name = fresh("own");
        let serial = format!("SN-{}", who(&name));
        control(
            site,
            &["registration", "create", &serial, "--allow", &name, "--vouched"],
        );
        let device = issuer.device(&serial);
        let elsewhere = if *label == one { two } else { one };
        let key = Csr::new(&name, &[&name]);
        for operation in ["simpleenroll", "simplereenroll"] {
            let refused = Client::new(site, elsewhere)
                .showing(&device)
                .post(operation, &key.der());
            assert_eq!(refused.status(), 401, "{label} {operation}: {}", refused.text());
            let words = refused.text();
            assert!(
                words.contains("certificate is not of a CA that is trusted here"),
                "{words}"
            );
        }
        let here = Client::new(site, label).showing(&device);
        let certificate = here.post("simpleenroll", &key.der()).certificate();
        // What it got there renews there.
        let own = Identity::issued(&certificate, key.key());
        let refused = Client::new(site, elsewhere)
            .showing(&own)
            .post("simplereenroll", &Csr::new(&name, &[&name]).der());
        assert_eq!(refused.status(), 403, "{}", refused.text());
        assert!(refused.text().contains("issued elsewhere"), "{}", refused.text());
        Client::new(site, label)
            .showing(&own)
            .post("simplereenroll", &Csr::new(&name, &[&name]).der())
            .certificate();
    }
}

#[test]
fn where_no_certificate_is_asked_for_whoever_publishes_is_told() {
    let said = |settings: &[&str]| {
        let site = Site::own(settings);
        let anchors = format!("certificates = '''\n{}'''\n", Issuer::new("Manufacturer").pem());
        publish(&site, "trust-anchors", "maker", &anchors);
        let text =
            "profiles = [\"dev\"]\nbackend = \"issuing\"\nnames = \"profile\"\nclient_trust = [\"maker\"]\n";
        let file = site.data_dir().with_file_name("maker.toml");
        std::fs::write(&file, text).unwrap();
        let file = file.to_string_lossy();
        let command = ["endpoint", "publish", "est/maker", "--from", &file];
        let said = site.control(&command).success().unwrap();
        (format!("{}{}", said.stdout, said.stderr), site.log())
    };
    let (published, log) = said(&["server.listeners.public.client_certs=false"]);
    assert!(published.contains("certificates_not_asked"), "{published}");
    assert!(log.contains("server.listeners.public: serves est and asks for no client certificate"));
    let (published, log) = said(&[]);
    assert!(!published.contains("certificates_not_asked"), "{published}");
    assert!(!log.contains("asks for no client certificate"));
}

#[test]
fn a_certificate_of_a_manufacturer_is_presented_for_renewal_where_clients_know_no_other_way() {
    let site = Site::shared();
    let issuer = manufacturer(site, "maker-d", "renew_first = true");
    let name = fresh("first");
    let serial = format!("SN-{}", who(&name));
    control(
        site,
        &["registration", "create", &serial, "--allow", &name, "--vouched"],
    );
    let client = Client::new(site, "maker-d").showing(&issuer.device(&serial));
    client.post("simplereenroll", &csr(&name)).certificate();
}

#[test]
fn the_secret_takes_precedence_and_both_are_recorded() {
    let site = Site::shared();
    let (mine, theirs) = (fresh("both"), fresh("both"));
    let (_, identity) = enrolled(site, "default", &Csr::new(&theirs, &[&theirs]));
    let (user, password) = registration(site, &who(&mine), (&[&mine], "est-password"));
    let client = Client::new(site, "default").showing(&identity);
    let both = client.as_user(&user, &password);
    both.post("simpleenroll", &csr(&theirs)).expect(403);
    let certificate = both.post("simpleenroll", &csr(&mine)).certificate();
    let serial = certificate.serial().to_hex();
    let shown = json(site, &["cert", "show", &serial]).to_string();
    assert!(
        shown.contains(&who(&mine)) || shown.contains("registration"),
        "{shown}"
    );
    let wrong = Client::new(site, "default")
        .showing(&identity)
        .as_user(&user, "guess");
    wrong.post("simpleenroll", &csr(&mine)).expect(401);
}

#[test]
fn an_endpoint_may_want_them_to_be_of_one_identity() {
    let site = Site::own(&[
        "endpoint.est.agree.credentials=agree",
        "endpoint.est.agree.names=profile",
    ]);
    let (mine, theirs) = (fresh("agree"), fresh("agree"));
    let (user, password) = registration(&site, &who(&mine), (&[&mine], "est-password"));
    let theirs_key = Csr::new(&theirs, &[&theirs]);
    let (_, stranger) = enrolled(&site, "agree", &theirs_key);
    let mine_key = Csr::new(&mine, &[&mine]);
    let alone = Client::new(&site, "agree").as_user(&user, &password);
    let first = alone.post("simpleenroll", &mine_key.der()).certificate();
    let own = Identity::issued(&first, mine_key.key());
    let of = |identity: &Identity| {
        Client::new(&site, "agree")
            .showing(identity)
            .as_user(&user, &password)
    };
    of(&stranger).post("simpleenroll", &csr(&mine)).expect(403);
    of(&own).post("simpleenroll", &csr(&mine)).certificate();
}

#[test]
fn who_said_close_and_is_asked_who_it_is_may_answer_on_the_same_connection() {
    let site = Site::shared();
    let name = fresh("close");
    let (user, password) = (site.dev_text("/est/username"), site.dev_text("/est/password"));
    let basic = {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    };
    let close: &[(&str, &str)] = &[("Connection", "close")];
    let with: &[(&str, &str)] = &[("Connection", "close"), ("Authorization", &basic)];
    let client = Client::new(site, "default");
    let answers = client.converse("simpleenroll", &[close, with, with], &csr(&name));
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status()).collect();
    assert_eq!(statuses, [401, 200], "and then it is over");
    let twice = client.converse("simpleenroll", &[close, close, with], &csr(&fresh("twice")));
    let statuses: Vec<u16> = twice.iter().map(|answer| answer.status()).collect();
    assert_eq!(statuses, [401, 401]);
}
