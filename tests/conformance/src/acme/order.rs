//! From an order to its certificate.

use std::time::Duration;

use portreeve_harness::dns::DnsServer;
use portreeve_harness::http01::WebReply;
use portreeve_harness::process::until;
use portreeve_pkix::{Certificate, pem, sha256};
use serde_json::{Value, json};

use super::account::Account;
use super::answer::Answer;
use super::base64url;
use super::csr::Csr;
use super::key::Signer;
use super::site::Site;

/// Longer than any test should wait for a change of status.
const STATUS_LIMIT: Duration = Duration::from_secs(120);

/// An order as last seen.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its URL.
    pub url: String,
    /// The object.
    pub object: Value,
}

/// A certificate as downloaded.
#[derive(Debug, Clone)]
pub struct Retrieved {
    /// Its order.
    pub order: Order,
    /// The octets of the download.
    pub pem: Vec<u8>,
    /// The certificate, then its issuers.
    pub chain: Vec<Certificate>,
}

impl Retrieved {
    /// The certificate.
    pub fn leaf(&self) -> &Certificate {
        &self.chain[0]
    }
}

impl Order {
    /// The URLs of its authorizations.
    #[track_caller]
    pub fn authorizations(&self) -> Vec<String> {
        let urls = self.object["authorizations"].as_array().expect("authorizations");
        urls.iter()
            .map(|url| url.as_str().expect("a URL").to_owned())
            .collect()
    }

    /// The URL at which it is finalized.
    #[track_caller]
    pub fn finalize(&self) -> String {
        self.object["finalize"].as_str().expect("finalize").to_owned()
    }
}

/// The challenge of this type in an authorization.
#[track_caller]
pub fn challenge<'a>(authorization: &'a Value, kind: &str) -> &'a Value {
    let challenges = authorization["challenges"].as_array().expect("challenges");
    let found = challenges.iter().find(|challenge| challenge["type"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {authorization}"))
}

impl Account {
    /// The answer to a new order for these DNS names.
    #[track_caller]
    pub fn ask_order(&self, names: &[&str]) -> Answer {
        let identifiers: Vec<Value> = names
            .iter()
            .map(|name| json!({"type": "dns", "value": name}))
            .collect();
        self.post(&self.client.url("newOrder"), &json!({"identifiers": identifiers}))
    }

    /// A new order for these DNS names.
    #[track_caller]
    pub fn order(&self, names: &[&str]) -> Order {
        let answer = self.ask_order(names);
        Order {
            object: answer.is(201),
            url: answer.location(),
        }
    }

    /// The authorization of an order for one name.
    #[track_caller]
    pub fn only_authorization(&self, order: &Order) -> (String, Value) {
        let urls = order.authorizations();
        assert_eq!(urls.len(), 1, "{}", order.object);
        let object = self.read(&urls[0]).is(200);
        (urls[0].clone(), object)
    }

    /// What http-01 and dns-01 are about (RFC 8555 section 8.1).
    #[track_caller]
    pub fn key_authorization(&self, challenge: &Value) -> String {
        format!(
            "{}.{}",
            challenge["token"].as_str().expect("a token"),
            self.key.thumbprint()
        )
    }

    /// Makes a challenge of an authorization fulfilled, without answering it; gives the challenge.
    #[track_caller]
    pub fn fulfil(&self, site: &Site, authorization: &Value, kind: &str) -> Value {
        let challenge = challenge(authorization, kind).clone();
        let key_authorization = self.key_authorization(&challenge);
        if kind == "dns-01" {
            set_txt(
                site.dns(),
                authorization,
                &[&base64url(sha256(key_authorization.as_bytes()))],
            );
        } else {
            let token = challenge["token"].as_str().expect("a token");
            site.web()
                .set_challenge(token, WebReply::Body(key_authorization.into_bytes()));
        }
        challenge
    }

    /// Answers a challenge; gives the answer.
    #[track_caller]
    pub fn answer_challenge(&self, challenge: &Value) -> Answer {
        self.post(challenge["url"].as_str().expect("a URL"), &json!({}))
    }

    /// Proves an authorization: wildcards by dns-01, other names by http-01. Gives the authorization.
    #[track_caller]
    pub fn prove(&self, site: &Site, url: &str) -> Value {
        let authorization = self.read(url).is(200);
        if authorization["status"] == "valid" {
            return authorization;
        }
        let kind = if authorization["wildcard"] == true {
            "dns-01"
        } else {
            "http-01"
        };
        let challenge = self.fulfil(site, &authorization, kind);
        self.answer_challenge(&challenge).is(200);
        self.poll(url, "valid")
    }

    /// An order of which everything is proven.
    #[track_caller]
    pub fn ready_order(&self, site: &Site, names: &[&str]) -> Order {
        let order = self.order(names);
        for url in order.authorizations() {
            self.prove(site, &url);
        }
        Order {
            object: self.poll(&order.url, "ready"),
            url: order.url,
        }
    }

    /// Finalizes an order with a CSR.
    #[track_caller]
    pub fn finalize(&self, order: &Order, csr: &[u8]) -> Answer {
        self.post(&order.finalize(), &json!({"csr": base64url(csr)}))
    }

    /// A certificate for these names and this key, from the order to the download.
    #[track_caller]
    pub fn issue(&self, site: &Site, names: &[&str], key: &dyn Signer) -> Retrieved {
        let order = self.ready_order(site, names);
        self.finalize(&order, &Csr::of(names).sign(key)).is(200);
        self.retrieve(&order)
    }

    /// Waits until a finalized order is valid, and downloads its certificate.
    #[track_caller]
    pub fn retrieve(&self, order: &Order) -> Retrieved {
        let object = self.poll(&order.url, "valid");
        let answer = self.read(object["certificate"].as_str().expect("a certificate's URL"));
        answer.is_of_type(200, "application/pem-certificate-chain");
        let text = std::str::from_utf8(answer.body()).expect("PEM");
        let certificates = pem::decode_all("CERTIFICATE", text).expect("PEM");
        let chain = certificates
            .iter()
            .map(|der| Certificate::from_der(der).expect("a certificate"))
            .collect();
        Retrieved {
            order: Order {
                object,
                url: order.url.clone(),
            },
            pem: answer.body().to_vec(),
            chain,
        }
    }

    /// Reads a resource until its status is this one; gives the object. Fails when another final status comes first.
    #[track_caller]
    pub fn poll(&self, url: &str, status: &str) -> Value {
        let reached = until(status, STATUS_LIMIT, || {
            let object = self.read(url).is(200);
            let found = object["status"].as_str().unwrap_or_default();
            let is_final = matches!(found, "valid" | "invalid" | "deactivated" | "expired" | "revoked");
            assert!(found == status || !is_final, "waiting for {status}: {object}");
            Ok((found == status).then_some(object))
        });
        reached.unwrap()
    }
}

/// Publishes TXT records for the dns-01 challenge of an authorization.
pub fn set_txt(dns: &DnsServer, authorization: &Value, values: &[&str]) {
    let name = authorization["identifier"]["value"].as_str().expect("a name");
    dns.set_txt(&format!("_acme-challenge.{name}"), values);
}
