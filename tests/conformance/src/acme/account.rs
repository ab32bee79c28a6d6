//! An account, and requests signed by it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::client::Client;
use super::draft::Draft;
use super::key::{Signer, new_key};

/// An account of one directory.
#[derive(Clone)]
pub struct Account {
    /// The directory.
    pub client: Arc<Client>,
    /// Its key.
    pub key: Arc<dyn Signer>,
    /// Its URL.
    pub url: String,
}

impl Account {
    /// A new account with a new P-256 key.
    #[track_caller]
    pub fn open(client: &Arc<Client>) -> Self {
        Self::open_with(client, Arc::new(new_key()))
    }

    /// A new account with this key.
    #[track_caller]
    pub fn open_with(client: &Arc<Client>, key: Arc<dyn Signer>) -> Self {
        let wish = json!({"termsOfServiceAgreed": true});
        let answer = client.post_with_key(key.as_ref(), &client.url("newAccount"), &wish);
        assert_eq!(answer.is(201)["status"], "valid", "{answer}");
        Self {
            client: Arc::clone(client),
            key,
            url: answer.location(),
        }
    }

    /// The same account under another key.
    #[must_use]
    pub fn with_key(&self, key: Arc<dyn Signer>) -> Self {
        Self { key, ..self.clone() }
    }

    /// A signed request.
    pub fn draft(&self, url: &str, payload: &Value) -> Draft<'_> {
        self.draft_octets(url, payload.to_string().as_bytes())
    }

    /// A signed request with any payload; none makes it a POST-as-GET.
    pub fn draft_octets(&self, url: &str, payload: &[u8]) -> Draft<'_> {
        Draft::new(&self.client, self.key.as_ref(), url, payload).set("kid", self.url.as_str())
    }

    /// Sends a signed request.
    #[track_caller]
    pub fn post(&self, url: &str, payload: &Value) -> Answer {
        self.draft(url, payload).send()
    }

    /// Reads a resource (POST-as-GET).
    #[track_caller]
    pub fn read(&self, url: &str) -> Answer {
        self.draft_octets(url, b"").send()
    }

    /// Asks for a change of its key: the inner JWS by the new key, in the outer one by the old key.
    pub fn key_change(&self, new_key: &dyn Signer) -> KeyChange<'_> {
        let url = self.client.url("keyChange");
        KeyChange {
            account: self,
            protected: json!({"alg": new_key.algorithm(), "jwk": new_key.jwk(), "url": url}),
            payload: json!({"account": self.url, "oldKey": self.key.jwk()}),
            url,
        }
    }
}

/// A change of key on its way (RFC 8555 section 7.3.5), of which every part of the inner JWS can be changed.
pub struct KeyChange<'a> {
    account: &'a Account,
    url: String,
    /// The inner protected header.
    pub protected: Value,
    /// The inner payload.
    pub payload: Value,
}

impl KeyChange<'_> {
    /// Signs the inner JWS with this key, the outer one with the account's, and sends it.
    #[track_caller]
    pub fn send(&self, new_key: &dyn Signer) -> Answer {
        let protected = self.protected.to_string();
        let inner = super::seal(new_key, &protected, self.payload.to_string().as_bytes());
        self.account.post(&self.url, &inner)
    }
}
