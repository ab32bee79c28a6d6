//! A signed request on its way, of which every part can still be changed.

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::base64url;
use super::client::Client;
use super::key::Signer;

/// A request with the header of a correct one: `alg`, `nonce`, `url`, and whatever names the key.
pub struct Draft<'a> {
    client: &'a Client,
    signer: &'a dyn Signer,
    url: String,
    protected: Map<String, Value>,
    payload: Vec<u8>,
}

impl<'a> Draft<'a> {
    /// To this URL; nothing names the key yet.
    pub fn new(client: &'a Client, signer: &'a dyn Signer, url: &str, payload: &[u8]) -> Self {
        let mut protected = Map::new();
        protected.insert("alg".to_owned(), json!(signer.algorithm()));
        protected.insert("nonce".to_owned(), json!(client.nonce()));
        protected.insert("url".to_owned(), json!(url));
        Self {
            client,
            signer,
            url: url.to_owned(),
            protected,
            payload: payload.to_vec(),
        }
    }

    /// With this member of the protected header.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.protected.insert(name.to_owned(), value.into());
        self
    }

    /// Without this member of the protected header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.protected.remove(name);
        self
    }

    /// Sent to another URL than the one that is signed.
    #[must_use]
    pub fn to(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    /// With this payload as octets.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// The protected header.
    pub fn protected(&self) -> String {
        Value::Object(self.protected.clone()).to_string()
    }

    /// The signed body, in the flattened JSON form.
    pub fn body(&self) -> Value {
        seal(self.signer, &self.protected(), &self.payload)
    }

    /// The signed body after a change to it.
    #[must_use]
    pub fn body_with(&self, change: impl FnOnce(&mut Map<String, Value>)) -> Value {
        let mut body = self.body();
        if let Some(members) = body.as_object_mut() {
            change(members);
        }
        body
    }

    /// Signs another protected header, as text, in place of this one.
    pub fn body_with_protected(&self, protected: &str) -> Value {
        seal(self.signer, protected, &self.payload)
    }

    /// Signs and sends.
    #[track_caller]
    pub fn send(&self) -> Answer {
        self.send_body(&self.body())
    }

    /// Sends this body to where the request goes.
    #[track_caller]
    pub fn send_body(&self, body: &Value) -> Answer {
        self.client.post(&self.url, body.to_string().as_bytes())
    }
}

/// Signs a protected header, given as text, and a payload.
pub fn seal(signer: &dyn Signer, protected: &str, payload: &[u8]) -> Value {
    let (protected, payload) = (base64url(protected), base64url(payload));
    let signature = base64url(signer.sign(format!("{protected}.{payload}").as_bytes()));
    json!({"protected": protected, "payload": payload, "signature": signature})
}
