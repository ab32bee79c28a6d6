//! An ACME account on a connection: signed requests, nonces, problem documents.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::Full;
use portreeve_wire::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::connection::{Connection, Target};
use crate::error::LoadError;
use crate::measure::Measurements;

const NONCE: &str = "replay-nonce";
const BAD_NONCE: &str = "badNonce";
const TRIES_MAX: usize = 3;

/// The URLs of a directory that the flow uses.
#[derive(Debug, Clone)]
struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
}

/// A registered account.
pub(crate) struct Session {
    connection: Connection,
    directory: Directory,
    key: SigningKey,
    thumbprint: String,
    account: Option<String>,
    nonce: Option<String>,
}

/// An answer with the parts the flow uses.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The URL of what was created.
    pub(crate) location: Option<String>,
    /// The body.
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value, LoadError> {
        serde_json::from_slice(&self.body).map_err(|_| LoadError::Answer("JSON body"))
    }
}

impl Session {
    /// Connects and registers a new account.
    pub(crate) async fn register(target: Target, measured: &mut Measurements) -> Result<Self, LoadError> {
        let mut connection = Connection::new(target.clone());
        let directory = directory(&mut connection, &target.url).await?;
        let key =
            SigningKey::generate(Algorithm::Es256).map_err(|error| LoadError::Key(error.to_string()))?;
        let jwk = key.jwk().map_err(|error| LoadError::Key(error.to_string()))?;
        let thumbprint = base64url(&jwk.thumbprint());
        let mut session = Self {
            connection,
            directory,
            key,
            thumbprint,
            account: None,
            nonce: None,
        };
        let url = session.directory.new_account.clone();
        let payload = json!({"termsOfServiceAgreed": true, "contact": ["mailto:load@example.com"]});
        let answer = session.post(&url, Some(&payload), measured).await?;
        session.account = Some(
            answer
                .location
                .ok_or(LoadError::Answer("Location of the account"))?,
        );
        Ok(session)
    }

    /// Where orders are made.
    pub(crate) fn new_order(&self) -> String {
        self.directory.new_order.clone()
    }

    /// What http-01 must find for a token (RFC 8555 section 8.1).
    pub(crate) fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint)
    }

    /// Sends a signed request; without a payload it is a POST-as-GET. A refused nonce is replaced, as RFC 8555
    /// section 6.5 has it, and counted.
    pub(crate) async fn post(
        &mut self,
        url: &str,
        payload: Option<&Value>,
        measured: &mut Measurements,
    ) -> Result<Answer, LoadError> {
        let payload = payload.map(Value::to_string).unwrap_or_default();
        for _ in 1..TRIES_MAX {
            match self.post_once(url, &payload, measured).await {
                Err(LoadError::Problem { kind, .. }) if kind == BAD_NONCE => measured.nonces_refused += 1,
                answer => return answer,
            }
        }
        self.post_once(url, &payload, measured).await
    }

    async fn post_once(
        &mut self,
        url: &str,
        payload: &str,
        measured: &mut Measurements,
    ) -> Result<Answer, LoadError> {
        let nonce = self.take_nonce(measured).await?;
        let mut protected = json!({"alg": "ES256", "nonce": nonce, "url": url});
        if let Some(members) = protected.as_object_mut() {
            match &self.account {
                Some(account) => members.insert("kid".to_owned(), json!(account)),
                None => {
                    let jwk = self
                        .key
                        .jwk()
                        .map_err(|error| LoadError::Key(error.to_string()))?;
                    members.insert("jwk".to_owned(), jwk.to_json())
                }
            };
        }
        let body = self.key.sign(&protected, payload.as_bytes());
        let body = body.map_err(|error| LoadError::Key(error.to_string()))?;
        let request = request("POST", url, body)?;
        measured.requests += 1;
        let answer = self.connection.send(request).await?;
        self.nonce = text(answer.headers(), NONCE);
        read(answer)
    }

    async fn take_nonce(&mut self, measured: &mut Measurements) -> Result<String, LoadError> {
        if let Some(nonce) = self.nonce.take() {
            return Ok(nonce);
        }
        measured.requests += 1;
        let answer = self
            .connection
            .send(request("HEAD", &self.directory.new_nonce, Vec::new())?)
            .await?;
        text(answer.headers(), NONCE).ok_or(LoadError::Answer("nonce"))
    }
}

async fn directory(connection: &mut Connection, url: &str) -> Result<Directory, LoadError> {
    let answer = read(connection.send(request("GET", url, Vec::new())?).await?)?.json()?;
    let member = |name: &str, what| {
        answer
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or(what)
    };
    Ok(Directory {
        new_nonce: member("newNonce", LoadError::Answer("newNonce"))?,
        new_account: member("newAccount", LoadError::Answer("newAccount"))?,
        new_order: member("newOrder", LoadError::Answer("newOrder"))?,
    })
}

fn request(method: &str, url: &str, body: Vec<u8>) -> Result<Request<Full<Bytes>>, LoadError> {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::CONTENT_TYPE, "application/jose+json")
        .header(header::USER_AGENT, "portreeve-load")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| LoadError::Answer("URL"))
}

fn read(answer: Response<Bytes>) -> Result<Answer, LoadError> {
    let status = answer.status();
    if matches!(
        status,
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED
    ) {
        let location = text(answer.headers(), header::LOCATION.as_str());
        return Ok(Answer {
            location,
            body: answer.into_body(),
        });
    }
    let problem: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let member = |name: &str| problem.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = member("type").rsplit(':').next().unwrap_or_default().to_owned();
    Err(LoadError::Problem {
        status: status.as_u16(),
        kind,
        detail: member("detail").to_owned(),
    })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Base64url without padding (RFC 7515 section 2).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
