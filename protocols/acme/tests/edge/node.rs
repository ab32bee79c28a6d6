//! A node: the edge over a real RA, store, keyset and policies, with a network and a clock in the test's hands.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use portreeve_acme::validator::{Attempt, Evidence, ValidationFailure, Validator};
use portreeve_acme::{AcmeConfig, AcmeEdge, AcmeParts, EndpointFace, NameCheck, RejectedName};
use portreeve_edge::{Call, Edge, Peer};
use portreeve_harness::authority::{TestAuthority, backend_name, clock, csr, keyset};
use portreeve_harness::scripted::{Memory, ScriptedBackend};
use portreeve_harness::test_ca::TestCa;
use portreeve_pkix::{Identifier, Timestamp};
use portreeve_policies::{Blocklist, check_key};
use portreeve_queue::{SystemRandom, TokioSpawn};
use portreeve_ra::Endpoint;
use portreeve_ra::ports::Clock;
use portreeve_wire::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

const BASE: &str = "https://ra.test/acme/default/";

/// A network that answers when it is let, and as it is told.
pub(crate) struct Network {
    gate: Semaphore,
    fails: Mutex<bool>,
    begun: AtomicUsize,
}

impl Network {
    /// One that answers at once.
    pub(crate) fn open() -> Arc<Self> {
        Arc::new(Self {
            gate: Semaphore::new(1 << 20),
            fails: Mutex::new(false),
            begun: AtomicUsize::new(0),
        })
    }

    /// One that answers after [`Network::release`].
    pub(crate) fn closed() -> Arc<Self> {
        Arc::new(Self {
            gate: Semaphore::new(0),
            fails: Mutex::new(false),
            begun: AtomicUsize::new(0),
        })
    }

    /// Lets every attempt have its answer.
    pub(crate) fn release(&self) {
        self.gate.add_permits(1 << 10);
    }

    /// From now on attempts fail, or succeed again.
    pub(crate) fn fail(&self, fails: bool) {
        *self.fails.lock().unwrap() = fails;
    }

    /// How many attempts were begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Validator for Network {
    async fn validate(&self, attempt: &Attempt) -> Result<Evidence, ValidationFailure> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.gate.acquire().await.unwrap().forget();
        assert!(
            attempt
                .key_authorization
                .starts_with(&format!("{}.", attempt.token))
        );
        if *self.fails.lock().unwrap() {
            return Err(ValidationFailure::Unauthorized("something else was found".into()));
        }
        Ok(Evidence {
            addresses: vec![[192, 0, 2, 1].into()],
            detail: "http://a.test/".into(),
        })
    }
}

/// The real clock, ahead by some seconds.
#[derive(Default)]
pub(crate) struct Ahead(AtomicU64);

impl Ahead {
    /// Sets how many.
    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        clock()
            .now()
            .saturating_add(Duration::from_secs(self.0.load(Ordering::Relaxed)))
    }

    async fn sleep(&self, duration: Duration) {
        clock().sleep(duration).await;
    }
}

/// Refuses everything below `.refused`.
struct Names;

#[async_trait]
impl NameCheck for Names {
    async fn check(
        &self,
        _: &Endpoint,
        names: &[Identifier],
    ) -> Result<Vec<RejectedName>, portreeve_ra::Error> {
        let refused = names.iter().filter(|name| name.to_string().ends_with(".refused"));
        Ok(refused
            .map(|name| RejectedName {
                identifier: name.clone(),
                reason: "refused".into(),
            })
            .collect())
    }
}

/// An RA whose CA issues everything.
pub(crate) async fn authority() -> Arc<TestAuthority> {
    let day = |days: i64| Timestamp::from_unix_seconds(clock().now().unix_seconds() + days * 86_400);
    let ca = TestCa::new("Scripted CA", day(-1), day(3_650));
    let script = (Vec::new(), Memory::Searchable);
    let backend = Arc::new(ScriptedBackend::new(backend_name(), ca, script, clock()));
    Arc::new(TestAuthority::start(backend, "").await)
}

/// One node over an authority.
pub(crate) struct Node {
    edge: AcmeEdge,
    /// Its network.
    pub(crate) network: Arc<Network>,
    /// Its clock.
    pub(crate) clock: Arc<Ahead>,
}

impl Node {
    /// A node with this network, and with no patience for validations unless configured.
    pub(crate) fn new(authority: &TestAuthority, network: &Arc<Network>, config: AcmeConfig) -> Self {
        let clock = Arc::new(Ahead::default());
        let edge = AcmeEdge::new(AcmeParts {
            ra: Arc::clone(&authority.ra),
            documents: authority.store.clone(),
            sealer: keyset(authority.directory.path()),
            validator: network.clone(),
            key_check: Arc::new(|key| check_key(key, &Blocklist::embedded())),
            names: Arc::new(Names),
            random: Arc::new(SystemRandom),
            clock: clock.clone(),
            spawn: Arc::new(TokioSpawn::new()),
            config: AcmeConfig {
                external_url: "https://ra.test".to_owned(),
                ..config
            },
            endpoints: vec![EndpointFace::named("default")],
        });
        Self {
            edge: edge.unwrap(),
            network: Arc::clone(network),
            clock,
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, method: Method, url: &str, body: Vec<u8>) -> Answer {
        self.send_from([192, 0, 2, 2].into(), method, url, body).await
    }

    /// The same from another address.
    pub(crate) async fn send_from(
        &self,
        address: IpAddr,
        method: Method,
        url: &str,
        body: Vec<u8>,
    ) -> Answer {
        let path = url.strip_prefix("https://ra.test").unwrap();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Content-Type", "application/jose+json");
        let body = Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {});
        let peer = Peer { address, tls: None };
        Answer(
            self.edge
                .handle(Call::new(
                    request.body(body).unwrap(),
                    peer,
                    [1; 16],
                    self.clock.now(),
                ))
                .await,
        )
    }

    /// A fresh nonce.
    pub(crate) async fn nonce(&self) -> String {
        let answer = self
            .send(Method::HEAD, &format!("{BASE}new-nonce"), Vec::new())
            .await;
        assert_eq!(answer.status(), 200);
        answer.header("Replay-Nonce")
    }
}

/// An answer.
pub(crate) struct Answer(Response<Bytes>);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.0.body()).unwrap_or(Value::Null)
    }

    pub(crate) fn header(&self, name: &str) -> String {
        let value = self.0.headers().get(name);
        value
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    }

    /// The last part of a problem's type.
    pub(crate) fn problem(&self) -> String {
        let json = self.json();
        json["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit(':')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    /// The `status` of the object, or of what went wrong.
    pub(crate) fn state(&self) -> String {
        match self.json()["status"].as_str() {
            Some(status) => status.to_owned(),
            None => format!("{} {}", self.status(), self.problem()),
        }
    }
}

/// An account.
pub(crate) struct Account {
    key: SigningKey,
    pub(crate) url: String,
}

impl Account {
    pub(crate) async fn open(node: &Node) -> Self {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let answer = Self::ask(node, &key, [192, 0, 2, 2].into()).await;
        assert_eq!(answer.status(), 201);
        Self {
            url: answer.header("Location"),
            key,
        }
    }

    /// Asks for the account of a key from an address.
    pub(crate) async fn ask(node: &Node, key: &SigningKey, from: IpAddr) -> Answer {
        let url = format!("{BASE}new-account");
        let header = json!({
            "alg": "ES256", "nonce": node.nonce().await, "url": url, "jwk": key.jwk().unwrap().to_json(),
        });
        let body = key
            .sign(&header, br#"{"contact": ["mailto:a@example.com"]}"#)
            .unwrap();
        node.send_from(from, Method::POST, &url, body).await
    }

    /// A signed request; `Null` makes a POST-as-GET.
    pub(crate) async fn post(&self, node: &Node, url: &str, payload: Value) -> Answer {
        let nonce = node.nonce().await;
        self.post_with(node, url, payload, &nonce).await
    }

    /// The same with a nonce of the caller's.
    pub(crate) async fn post_with(&self, node: &Node, url: &str, payload: Value, nonce: &str) -> Answer {
        let header = json!({"alg": "ES256", "nonce": nonce, "url": url, "kid": self.url});
        let payload = if payload.is_null() {
            Vec::new()
        } else {
            payload.to_string().into_bytes()
        };
        node.send(Method::POST, url, self.key.sign(&header, &payload).unwrap())
            .await
    }

    pub(crate) async fn read(&self, node: &Node, url: &str) -> Answer {
        self.post(node, url, Value::Null).await
    }

    pub(crate) async fn new_order(&self, node: &Node, names: &[&str]) -> Answer {
        let names: Vec<Value> = names
            .iter()
            .map(|name| json!({"type": "dns", "value": name}))
            .collect();
        self.post(node, &format!("{BASE}new-order"), json!({ "identifiers": names }))
            .await
    }

    /// An order with one name, its authorization and its first challenge, as URLs.
    pub(crate) async fn order(&self, node: &Node, name: &str) -> Order {
        let made = self.new_order(node, &[name]).await;
        assert_eq!(made.status(), 201, "{}", made.json());
        let authorization = made.json()["authorizations"][0].as_str().unwrap().to_owned();
        let shown = self.read(node, &authorization).await.json();
        let challenge = shown["challenges"][0]["url"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let finalize = made.json()["finalize"].as_str().unwrap().to_owned();
        Order {
            url: made.header("Location"),
            authorization,
            challenge,
            finalize,
        }
    }

    /// Finalizes with a fresh CSR for this name.
    pub(crate) async fn finalize(&self, node: &Node, order: &Order, name: &str) -> Answer {
        let csr = URL_SAFE_NO_PAD.encode(csr(name));
        self.post(node, &order.finalize, json!({ "csr": csr })).await
    }

    /// Reads something until it is in this state.
    pub(crate) async fn until(&self, node: &Node, url: &str, state: &str) {
        let reach = async {
            while self.read(node, url).await.state() != state {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(portreeve_harness::pace::PATIENCE, reach).await;
        assert!(reached.is_ok(), "{url} never became {state}");
    }
}

/// The URLs of an order with one name.
pub(crate) struct Order {
    pub(crate) url: String,
    pub(crate) authorization: String,
    pub(crate) challenge: String,
    pub(crate) finalize: String,
}

/// A configuration that does not wait for validations.
pub(crate) fn impatient() -> AcmeConfig {
    AcmeConfig {
        challenge_wait: Duration::ZERO,
        ..AcmeConfig::default()
    }
}

/// A configuration that waits for validations until they have ended, however busy the machine is.
pub(crate) fn patient() -> AcmeConfig {
    AcmeConfig {
        challenge_wait: portreeve_harness::pace::PATIENCE,
        ..AcmeConfig::default()
    }
}
