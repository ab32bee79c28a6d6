//! One client: an issuance after the other, each step timed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::Run;
use super::session::{Answer, Session, base64url};
use crate::closed_loop::Worker;
use crate::error::LoadError;
use crate::measure::{Measurements, Step};
use crate::prepare::Request;
use crate::verify::Issued;

const POLL_PAUSE_MAX: Duration = Duration::from_millis(250);
const POLL_LIMIT: Duration = Duration::from_secs(60);

/// A client with its account.
pub(crate) struct Client {
    run: Arc<Run>,
    session: Session,
    measured: Measurements,
}

impl Worker for Client {
    async fn get(&mut self, number: u64) -> Result<Issued, LoadError> {
        let request = self.run.requests.take(number)?;
        let chain = self.issue(&request).await?;
        Ok(Issued { request, chain })
    }

    fn measured(&mut self) -> &mut Measurements {
        &mut self.measured
    }
}

impl Client {
    /// Registers the client's account.
    pub(crate) async fn register(run: Arc<Run>) -> Result<Self, LoadError> {
        let session = Session::register(run.target.clone(), &mut Measurements::default()).await?;
        Ok(Self {
            run,
            session,
            measured: Measurements::default(),
        })
    }

    async fn issue(&mut self, request: &Request) -> Result<Bytes, LoadError> {
        let started = Instant::now();
        let new_order = self.session.new_order();
        let payload = json!({"identifiers": [{"type": "dns", "value": request.name}]});
        let answer = self.step(Step::NewOrder, &new_order, Some(&payload)).await?;
        let order_url = answer
            .location
            .clone()
            .ok_or(LoadError::Answer("Location of the order"))?;
        let order = answer.json()?;
        let finalize = member(&order, "finalize")?.to_owned();
        for url in order
            .get("authorizations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let url = url.as_str().ok_or(LoadError::Answer("authorization URL"))?;
            self.authorize(url).await?;
        }
        let payload = json!({"csr": base64url(&request.csr)});
        let order = self
            .step(Step::Finalize, &finalize, Some(&payload))
            .await?
            .json()?;
        let order = self.settled("order", order, (Step::Issue, &order_url)).await?;
        let certificate = member(&order, "certificate")?.to_owned();
        let chain = self.step(Step::Certificate, &certificate, None).await?.body;
        self.measured.took(Step::Issuance, started.elapsed());
        Ok(chain)
    }

    async fn authorize(&mut self, url: &str) -> Result<(), LoadError> {
        let authorization = self.step(Step::Authorization, url, None).await?.json()?;
        if member(&authorization, "status")? == "valid" {
            return Ok(());
        }
        let challenges = authorization.get("challenges").and_then(Value::as_array);
        let challenge = challenges
            .into_iter()
            .flatten()
            .find(|challenge| member(challenge, "type").is_ok_and(|kind| kind == "http-01"))
            .ok_or(LoadError::Answer("http-01 challenge"))?;
        let token = member(challenge, "token")?;
        self.run.answers.put(token, self.session.key_authorization(token));
        let validated = self.validate(url, member(challenge, "url")?).await;
        self.run.answers.take(token);
        validated
    }

    async fn validate(&mut self, authorization: &str, challenge: &str) -> Result<(), LoadError> {
        let answered = self
            .step(Step::Challenge, challenge, Some(&json!({})))
            .await?
            .json()?;
        if member(&answered, "status")? == "valid" {
            return Ok(());
        }
        let pending = json!({"status": "pending"});
        self.settled("authorization", pending, (Step::Validation, authorization))
            .await
            .map(|_| ())
    }

    /// Polls an object until it is valid; one that is valid already is not asked for again.
    async fn settled(
        &mut self,
        what: &'static str,
        mut object: Value,
        (step, url): (Step, &str),
    ) -> Result<Value, LoadError> {
        let (started, mut pause) = (Instant::now(), self.run.poll_first);
        let mut polls = 0_u32;
        loop {
            match member(&object, "status")? {
                "valid" => break,
                "pending" | "processing" | "ready" if started.elapsed() < POLL_LIMIT => {}
                "pending" | "processing" | "ready" => return Err(LoadError::Timeout),
                status => {
                    let status = status.to_owned();
                    return Err(LoadError::State { what, status });
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(POLL_PAUSE_MAX);
            object = self.session.post(url, None, &mut self.measured).await?.json()?;
            polls += 1;
        }
        if polls > 0 {
            self.measured.took(step, started.elapsed());
        }
        Ok(object)
    }

    async fn step(&mut self, step: Step, url: &str, payload: Option<&Value>) -> Result<Answer, LoadError> {
        let started = Instant::now();
        let answer = self.session.post(url, payload, &mut self.measured).await?;
        self.measured.took(step, started.elapsed());
        Ok(answer)
    }
}

fn member<'a>(object: &'a Value, name: &'static str) -> Result<&'a str, LoadError> {
    object
        .get(name)
        .and_then(Value::as_str)
        .ok_or(LoadError::Answer(name))
}
