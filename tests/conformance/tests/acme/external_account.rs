//! External account binding (RFC 8555 section 7.3.4), row 18, and what follows from it: names, vouched names, suspension.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_conformance::acme::{
    Account, Answer, Client, Csr, Signer, Site, base64url, new_key, new_key_of, problem_type,
};
use portreeve_pkix::{MacAlgorithm, Secret};
use portreeve_wire::jose::Algorithm;
use serde_json::{Value, json};

/// An external account key.
struct Key {
    kid: String,
    secret: Secret,
}

impl Key {
    fn new(kid: &str, hmac_key: &str) -> Self {
        Self {
            kid: kid.to_owned(),
            secret: Secret::new(URL_SAFE_NO_PAD.decode(hmac_key).unwrap()),
        }
    }

    fn of_dev(site: &Site) -> Self {
        Self::new(
            &site.dev_text("/acme/eab/kid"),
            &site.dev_text("/acme/eab/hmac_key"),
        )
    }

    /// A key of a new registration, made on the command line.
    fn of_new(site: &Site, name: &str, options: &[&str]) -> Self {
        let mut command = vec!["registration", "create", name];
        command.extend(options);
        site.control(&command).success().unwrap();
        let made = json_of(site, &["eab", "create", name]);
        Self::new(
            made["reference"].as_str().unwrap(),
            made["secret"].as_str().unwrap(),
        )
    }

    fn binding(&self, client: &Client, key: &dyn Signer) -> Value {
        let header = json!({"alg": "HS256", "kid": self.kid, "url": client.url("newAccount")});
        self.sealed(MacAlgorithm::HmacSha256, &header, &key.jwk())
    }

    fn sealed(&self, algorithm: MacAlgorithm, header: &Value, payload: &Value) -> Value {
        let (protected, payload) = (base64url(header.to_string()), base64url(payload.to_string()));
        let input = [protected.as_str(), ".", &payload].concat();
        let tag = algorithm.compute(&self.secret, input.as_bytes());
        json!({"protected": protected, "payload": payload, "signature": base64url(tag)})
    }

    /// A new account that this key vouches for.
    #[track_caller]
    fn open(&self, client: &Arc<Client>) -> Account {
        let key = Arc::new(new_key());
        let answer = ask(client, key.as_ref(), Some(self.binding(client, key.as_ref())));
        answer.is(201);
        Account {
            client: Arc::clone(client),
            key,
            url: answer.location(),
        }
    }
}

#[track_caller]
fn json_of(site: &Site, command: &[&str]) -> Value {
    let mut command = command.to_vec();
    command.extend(["--output", "json"]);
    serde_json::from_str(&site.control(&command).success().unwrap().stdout).unwrap()
}

#[track_caller]
fn ask(client: &Client, key: &dyn Signer, binding: Option<Value>) -> Answer {
    let mut wish = json!({"termsOfServiceAgreed": true});
    if let Some(binding) = binding {
        wish["externalAccountBinding"] = binding;
    }
    client.post_with_key(key, &client.url("newAccount"), &wish)
}

#[test]
fn an_account_that_is_bound_shows_its_binding() {
    let site = Site::shared();
    let (key, own) = (Key::of_dev(site), new_key());
    let client = site.client("default");
    let binding = key.binding(&client, &own);
    let answer = ask(&client, &own, Some(binding.clone()));
    assert_eq!(answer.is(201)["externalAccountBinding"], binding);
    let account = Account {
        client: Arc::clone(&client),
        key: Arc::new(own),
        url: answer.location(),
    };
    assert_eq!(
        account.post(&account.url, &json!({})).is(200)["externalAccountBinding"],
        binding
    );
    for whatever in [None, Some(json!("whatever"))] {
        let again = ask(&client, account.key.as_ref(), whatever);
        assert_eq!(
            again.is(200)["status"],
            "valid",
            "it is there, whatever else is asked"
        );
        assert_eq!(again.location(), account.url);
    }
    account.issue(site, &["bound.external.test"], &new_key());
    // It holds any number of times, and at all endpoints.
    key.open(&client);
    key.open(&site.client("short"));
}

#[test]
fn the_mac_may_be_made_with_any_of_three_hashes() {
    let site = Site::shared();
    let (key, client) = (Key::of_dev(site), site.client("default"));
    for (name, algorithm) in [
        ("HS256", MacAlgorithm::HmacSha256),
        ("HS384", MacAlgorithm::HmacSha384),
        ("HS512", MacAlgorithm::HmacSha512),
    ] {
        let own = new_key();
        let header = json!({"alg": name, "kid": key.kid, "url": client.url("newAccount")});
        let binding = key.sealed(algorithm, &header, &Signer::jwk(&own));
        assert_eq!(
            ask(&client, &own, Some(binding)).is(201)["status"],
            "valid",
            "{name}"
        );
    }
}

/// Whatever is wrong with a binding, no account is opened.
#[test]
fn bindings_that_bind_nothing() {
    let site = Site::shared();
    let (key, client) = (Key::of_dev(site), site.client("default"));
    let url = client.url("newAccount");
    let stranger = Key {
        kid: key.kid.clone(),
        secret: Secret::new(vec![7; 32]),
    };
    let unknown = Key {
        kid: "no-such-key".to_owned(),
        secret: key.secret.clone(),
    };
    let header = |changes: Value| {
        let mut header = json!({"alg": "HS256", "kid": key.kid, "url": url});
        for (name, value) in changes.as_object().unwrap() {
            header[name] = value.clone();
        }
        header
    };
    let hs256 = MacAlgorithm::HmacSha256;
    let own = new_key();
    let (jwk, other) = (Signer::jwk(&own), Signer::jwk(&new_key()));
    let cut = |mut binding: Value| {
        let tag = binding["signature"].as_str().unwrap()[..20].to_owned();
        binding["signature"] = json!(tag);
        binding
    };
    let rows = [
        (
            "a MAC by another key",
            stranger.sealed(hs256, &header(json!({})), &jwk),
            403,
            "unauthorized",
        ),
        (
            "an unknown key",
            unknown.sealed(hs256, &header(json!({"kid": "no-such-key"})), &jwk),
            403,
            "unauthorized",
        ),
        (
            "a MAC cut in half",
            cut(key.sealed(hs256, &header(json!({})), &jwk)),
            403,
            "unauthorized",
        ),
        (
            "another hash than said",
            key.sealed(hs256, &header(json!({"alg": "HS512"})), &jwk),
            403,
            "unauthorized",
        ),
        (
            "about another key",
            key.sealed(hs256, &header(json!({})), &other),
            400,
            "malformed",
        ),
        (
            "about no key",
            key.sealed(hs256, &header(json!({})), &json!({})),
            400,
            "malformed",
        ),
        (
            "for another URL",
            key.sealed(hs256, &header(json!({"url": client.url("newOrder")})), &jwk),
            400,
            "malformed",
        ),
        (
            "with a nonce",
            key.sealed(hs256, &header(json!({"nonce": "a"})), &jwk),
            400,
            "malformed",
        ),
        (
            "with an empty kid",
            key.sealed(hs256, &header(json!({"kid": ""})), &jwk),
            400,
            "malformed",
        ),
        (
            "with a kid that is no text",
            key.sealed(hs256, &header(json!({"kid": 7})), &jwk),
            400,
            "malformed",
        ),
        (
            "with the key and a kid",
            key.sealed(hs256, &header(json!({"jwk": jwk})), &jwk),
            400,
            "malformed",
        ),
        (
            "signed",
            key.sealed(hs256, &header(json!({"alg": "ES256"})), &jwk),
            400,
            "malformed",
        ),
        (
            "not secured",
            key.sealed(hs256, &header(json!({"alg": "none"})), &jwk),
            400,
            "malformed",
        ),
        ("a text", json!("eyJ9"), 400, "malformed"),
        ("an empty object", json!({}), 400, "malformed"),
        (
            "too long",
            json!({"protected": "a".repeat(5_000)}),
            400,
            "malformed",
        ),
    ];
    for (case, binding, status, kind) in rows {
        let answer = ask(&client, &own, Some(binding));
        answer.is_problem(status, kind);
        assert_eq!(answer.header("Location"), None, "{case}");
    }
    let none = json!({"onlyReturnExisting": true});
    client
        .post_with_key(&own, &url, &none)
        .is_problem(400, "accountDoesNotExist");
}

#[test]
fn row_18_an_endpoint_may_require_it_or_refuse_it() {
    let site = Site::own(&[
        "endpoint.acme.default.eab=required",
        "endpoint.acme.short.eab=off",
    ]);
    let (key, client) = (Key::of_dev(&site), site.client("default"));
    assert_eq!(client.directory()["meta"]["externalAccountRequired"], true);
    let own = new_key();
    ask(&client, &own, None).is_problem(403, "externalAccountRequired");
    let existing = json!({"onlyReturnExisting": true});
    let answer = client.post_with_key(&own, &client.url("newAccount"), &existing);
    answer.is_problem(400, "accountDoesNotExist");
    key.open(&client)
        .issue(&site, &["required.external.test"], &new_key());

    let client = site.client("short");
    assert_eq!(client.directory()["meta"]["externalAccountRequired"], false);
    let answer = ask(&client, &own, Some(key.binding(&client, &own)));
    answer.is_problem(400, "malformed");
    ask(&client, &own, None).is(201);
}

#[test]
fn a_key_binds_the_accounts_it_is_for_and_no_more() {
    let site = Site::shared();
    let key = Key::of_new(site, "one device", &["--allow", ".one.external.test"]);
    let client = site.client("default");
    let account = key.open(&client);
    let own = new_key();
    ask(&client, &own, Some(key.binding(&client, &own))).is_problem(403, "unauthorized");
    let listed = json_of(site, &["eab", "list", "--registration", "one device"]);
    assert_eq!(listed["items"][0]["state"], "active");
    assert_eq!(listed["items"][0]["used"], 1);
    assert!(!listed.to_string().contains("secret\""), "{listed}");

    let refused = account.ask_order(&["a.one.external.test", "elsewhere.external.test"]);
    let problem = refused.is_problem(400, "rejectedIdentifier");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .starts_with("elsewhere.external.test"),
        "{problem}"
    );
    account.issue(site, &["a.one.external.test"], &new_key());
}

#[test]
fn vouched_names_need_no_challenge_until_the_registration_is_suspended_or_the_key_revoked() {
    let site = Site::own(&[]);
    let options = ["--allow", ".v.external.test", "--vouched", "--wildcards"];
    let key = Key::of_new(&site, "vouched", &options);
    let account = key.open(&site.client("default"));
    let names = ["a.v.external.test", "*.v.external.test"];
    let order = account.order(&names);
    assert_eq!(account.read(&order.url).is(200)["status"], "ready");
    for authorization in order.authorizations() {
        let shown = account.read(&authorization).is(200);
        assert_eq!(shown["status"], "valid");
        assert_eq!(shown["challenges"], json!([]));
    }
    account
        .finalize(&order, &Csr::of(&names).sign(&new_key()))
        .is(200);
    account.retrieve(&order);
    let doctor = site.control(&["doctor"]);
    assert!(
        doctor
            .text()
            .contains("vouched: no challenge is asked for its names"),
        "{}",
        doctor.text()
    );

    let waiting = account.order(&["b.v.external.test"]);
    site.control(&["registration", "suspend", "vouched", "--reason", "lost"])
        .success()
        .unwrap();
    account
        .ask_order(&["c.v.external.test"])
        .is_problem(403, "unauthorized");
    let csr = Csr::of(&["b.v.external.test"]).sign(&new_key());
    account.finalize(&waiting, &csr).is_problem(403, "unauthorized");
    site.control(&["registration", "resume", "vouched"])
        .success()
        .unwrap();
    account.finalize(&waiting, &csr).is(200);
    account.retrieve(&waiting);

    let listed = json_of(&site, &["registration", "secret", "list", "vouched"]);
    let id = listed["items"][0]["id"].as_str().unwrap();
    site.control(&["eab", "revoke", id]).success().unwrap();
    account
        .ask_order(&["d.v.external.test"])
        .is_problem(403, "unauthorized");
}

#[test]
fn only_listed_names_can_be_vouched_for() {
    let site = Site::shared();
    let refused = site.control(&["registration", "create", "careless", "--any-name", "--vouched"]);
    assert!(!refused.status.success());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("in.csv");
    let file = file.to_str().unwrap();
    let text = "name,names,any_name,vouched\ncsv 1,.csv.external.test,,yes\ncsv 2,,yes,yes\ncsv 1,a.test,,\n";
    std::fs::write(file, text).unwrap();
    let tried = site.control(&["registration", "import", file]);
    assert_eq!(tried.status.code(), Some(1), "{}", tried.text());
    for expected in [
        "would be created",
        "only names that are listed can be vouched for",
        "earlier line",
    ] {
        assert!(tried.text().contains(expected), "{expected}: {}", tried.text());
    }
    assert!(
        !site.control(&["registration", "show", "csv 1"]).status.success(),
        "all or nothing"
    );
    std::fs::write(
        file,
        "name,names,vouched\ncsv 1,.csv.external.test,yes\ncsv 2,a.test,\n",
    )
    .unwrap();
    let dry = site.control(&["registration", "import", file, "--dry-run"]);
    dry.success().unwrap();
    assert!(
        !site.control(&["registration", "show", "csv 1"]).status.success(),
        "only tried"
    );
    site.control(&["registration", "import", file]).success().unwrap();
    assert_eq!(json_of(site, &["registration", "show", "csv 1"])["vouched"], true);
}

/// Counted before anything is verified: a signature that costs much to check is not checked.
#[test]
fn an_address_is_limited_before_anything_is_verified() {
    let limit = "endpoint.acme.default.rate_limit={address={requests=4,period=\"1h\",burst=4}}";
    let site = Site::own(&[limit]);
    let client = site.client("default");
    let key = new_key_of(Algorithm::Rs256);
    let wish = json!({"onlyReturnExisting": true});
    for _ in 0..4 {
        let answer = client.post_with_key(&key, &client.url("newAccount"), &wish);
        answer.is_problem(400, "accountDoesNotExist");
    }
    let refused = client.post(&client.url("newAccount"), b"not even a JWS");
    let problem = refused.is_problem(429, "rateLimited");
    assert!((1..=3_600).contains(&refused.retry_after()), "{refused}");
    assert_eq!(problem_type(&problem).rsplit(':').next(), Some("rateLimited"));
    let other = site.client("short");
    let answer = other.post_with_key(&key, &other.url("newAccount"), &wish);
    answer.is_problem(400, "accountDoesNotExist");
}
