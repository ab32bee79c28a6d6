//! Operators with a key and a client certificate of the management CA, who use the command line and the API from outside.

use std::process::Command;
use std::time::Duration;

use portreeve_harness::HarnessError;
use portreeve_harness::process::{Finished, attempt, succeed};
use serde_json::Value;

use crate::Site;

const LIMIT: Duration = Duration::from_secs(60);

/// An operator with a key, for which the management CA has issued a certificate.
#[derive(Debug)]
pub struct Person<'a> {
    site: &'a Site,
    name: &'static str,
    key_sha256: String,
}

impl<'a> Person<'a> {
    /// Makes an operator with the role `approver`.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn new(site: &'a Site, name: &'static str) -> Result<Self, HarnessError> {
        Self::with_roles(site, name, &["approver"])
    }

    /// Makes an operator with these roles.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub fn with_roles(site: &'a Site, name: &'static str, roles: &[&str]) -> Result<Self, HarnessError> {
        let mut this = Self {
            site,
            name,
            key_sha256: String::new(),
        };
        let (key, csr) = (this.file("key.pem"), this.file("csr.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]);
        openssl.args([
            "-nodes",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &key,
            "-out",
            &csr,
        ]);
        succeed(&mut openssl, LIMIT)?;
        let mut create = vec!["operator", "create", name];
        create.extend(roles.iter().flat_map(|role| ["--role", role]));
        site.console().control(&create)?.success()?;
        let certify = ["operator", "certificate", name, "--csr", &csr, "--output", "json"];
        let named = site.console().control(&certify)?.success()?.stdout;
        let named: Value = serde_json::from_str(&named).unwrap_or_default();
        let text = |key: &str| named.get(key).and_then(Value::as_str).unwrap_or_default();
        let path = this.file("cert.pem");
        std::fs::write(&path, text("certificate")).map_err(|source| HarnessError::File {
            path: path.into(),
            source,
        })?;
        this.key_sha256 = text("key_sha256").to_owned();
        Ok(this)
    }

    /// SHA-256 of the SubjectPublicKeyInfo of their key, in hex.
    pub fn key_sha256(&self) -> &str {
        &self.key_sha256
    }

    /// A file of theirs: `key.pem`, `csr.pem` or `cert.pem`.
    pub fn file(&self, what: &str) -> String {
        let path = self.site.path(&format!("{}-{what}", self.name));
        path.to_string_lossy().into_owned()
    }

    /// Runs a command as this operator, over HTTPS.
    ///
    /// # Errors
    /// When it cannot be run; its exit status is for the caller to judge.
    pub fn says(&self, arguments: &[&str]) -> Result<Finished, HarnessError> {
        let console = self.site.console();
        let mut command = console.command(arguments);
        command.args(["--url", console.dev_text("/admin/url")?, "--ca"]);
        command.arg(console.tls_root()?);
        let (certificate, key) = (self.file("cert.pem"), self.file("key.pem"));
        command.args(["--cert", &certificate, "--cert-key", &key]);
        attempt(&mut command, LIMIT)
    }

    /// Approves with the command line, signed with this operator's key.
    ///
    /// # Errors
    /// As [`Self::says`].
    pub fn approve(&self, id: &str, more: &[&str]) -> Result<Finished, HarnessError> {
        let key = self.file("key.pem");
        let mut arguments = vec!["request", "approve", id, "--comment", "looked at"];
        arguments.extend(["--evidence-key", &key]);
        arguments.extend(more);
        self.says(&arguments)
    }

    /// POSTs to the API with this operator's certificate: the status, and the answer if it is JSON.
    ///
    /// # Errors
    /// When nothing is answered.
    pub fn calls(&self, path: &str, body: &Value) -> Result<(u16, Value), HarnessError> {
        self.call((path, body), (true, None))
    }

    /// POSTs to the API with a token, beside the certificate or without it.
    ///
    /// # Errors
    /// As [`Self::calls`].
    pub fn calls_with_token(
        &self,
        (path, body): (&str, &Value),
        (token, beside): (&str, bool),
    ) -> Result<(u16, Value), HarnessError> {
        self.call((path, body), (beside, Some(token)))
    }

    fn call(
        &self,
        (path, body): (&str, &Value),
        (certificate, token): (bool, Option<&str>),
    ) -> Result<(u16, Value), HarnessError> {
        let console = self.site.console();
        let url = format!("{}/api/v1/{path}", console.dev_text("/admin/url")?);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--cacert"])
            .arg(console.tls_root()?);
        if certificate {
            curl.args(["--cert", &self.file("cert.pem"), "--key", &self.file("key.pem")]);
        }
        if let Some(token) = token {
            curl.args(["--header", &format!("authorization: Bearer {token}")]);
        }
        curl.args([
            "--header",
            "content-type: application/json",
            "--data",
            &body.to_string(),
        ]);
        curl.args(["--write-out", "\n%{http_code}", &url]);
        let answer = succeed(&mut curl, LIMIT)?.stdout;
        let (body, status) = answer.rsplit_once('\n').unwrap_or_default();
        Ok((
            status.trim().parse().unwrap_or_default(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        ))
    }
}
