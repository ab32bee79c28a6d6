//! http-01 (RFC 8555 section 8.3): the name's own server serves the key authorization.
//!
//! One hop is: resolve the host, check its addresses, connect to one of them, ask, read. A redirect
//! is a new target and goes through all of it again, so an answer of the DNS is never relied on
//! twice (RFC 8555 section 10.4).

mod connect;
mod exchange;
mod target;
mod tls;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use portreeve_acme::validator::{Attempt, Evidence, ValidationFailure};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::debug;

use crate::abridged::Abridged;
use crate::config::ValidationConfig;
use crate::deadline::{Deadline, TimedOut};
use crate::guard::AddressGuard;
use crate::resolver::NameResolver;
use exchange::Answer;
use target::{Scheme, Target};

/// How much longer than the key authorization a body may be, for white space at its end.
const BODY_SLACK: usize = 128;

/// Fetches the key authorization.
pub(crate) struct Http01 {
    resolver: Arc<NameResolver>,
    guard: AddressGuard,
    tls: TlsConnector,
    http_port: u16,
    redirects_max: usize,
    addresses_max: usize,
    connect_timeout: Duration,
}

impl Http01 {
    /// Asks `resolver` for addresses and follows the limits of `config`.
    pub(crate) fn new(config: ValidationConfig, resolver: Arc<NameResolver>) -> Result<Self, rustls::Error> {
        Ok(Self {
            resolver,
            guard: AddressGuard::new(config.allow_networks, config.deny_networks),
            tls: tls::connector()?,
            http_port: config.http_port,
            redirects_max: config.redirects_max,
            addresses_max: config.addresses_max,
            connect_timeout: config.connect_timeout,
        })
    }

    /// Passes if the last hop answers 200 with the key authorization.
    pub(crate) async fn validate(
        &self,
        attempt: &Attempt,
        deadline: Deadline,
    ) -> Result<Evidence, ValidationFailure> {
        let mut target = Target::first(&attempt.name, &attempt.token, self.http_port)?;
        let mut addresses = Vec::new();
        loop {
            let expected_len = attempt.key_authorization.len();
            let (address, answer) = self.hop(&target, expected_len + BODY_SLACK, deadline).await?;
            addresses.push(address);
            match answer {
                Answer::Redirect(_) if addresses.len() > self.redirects_max => {
                    let max = self.redirects_max;
                    return Err(ValidationFailure::Connection(
                        format!("more than {max} redirects").into(),
                    ));
                }
                Answer::Redirect(location) => target = target.redirected(&location, self.http_port)?,
                Answer::Content(body) => {
                    compare(&body, &attempt.key_authorization, &target)?;
                    return Ok(Evidence {
                        addresses,
                        detail: target.url().into(),
                    });
                }
                Answer::TooLong => {
                    let text = format!("{target} answered with more than the key authorization");
                    return Err(ValidationFailure::Unauthorized(text.into()));
                }
                Answer::Status(status) => return Err(wrong_status(&target, status)),
            }
        }
    }

    async fn hop(
        &self,
        target: &Target,
        body_len_max: usize,
        deadline: Deadline,
    ) -> Result<(IpAddr, Answer), ValidationFailure> {
        let addresses = self.checked_addresses(target, deadline).await?;
        let (stream, address) =
            connect::first_reachable(&addresses, target, self.connect_timeout, deadline).await?;
        let answered = deadline.run(self.ask(stream, target, body_len_max)).await;
        let answer = answered.map_err(|TimedOut| {
            ValidationFailure::Connection(format!("{target}: no complete answer in time").into())
        })??;
        Ok((address, answer))
    }

    /// The addresses of the target that may be connected to, in the order they are tried.
    async fn checked_addresses(
        &self,
        target: &Target,
        deadline: Deadline,
    ) -> Result<Vec<IpAddr>, ValidationFailure> {
        let host = target.host().as_str();
        let shown = Abridged(host);
        let found = match deadline.run(self.resolver.addresses(host)).await {
            Ok(Ok(found)) => found,
            Ok(Err(failure)) => {
                return Err(ValidationFailure::Dns(
                    format!("addresses of {shown}: {failure}").into(),
                ));
            }
            Err(TimedOut) => {
                return Err(ValidationFailure::Dns(
                    format!("addresses of {shown}: no DNS answer in time").into(),
                ));
            }
        };
        let seen = found.len();
        let mut passed: Vec<IpAddr> = found
            .into_iter()
            .filter(|address| self.passes(host, *address))
            .collect();
        if passed.is_empty() {
            let text = format!("{shown}: none of its {seen} addresses may be connected to from here");
            return Err(ValidationFailure::Connection(text.into()));
        }
        passed.truncate(self.addresses_max);
        Ok(passed)
    }

    fn passes(&self, host: &str, address: IpAddr) -> bool {
        match self.guard.check(address) {
            Ok(()) => true,
            Err(reason) => {
                debug!(host, %address, %reason, "address refused");
                false
            }
        }
    }

    async fn ask(
        &self,
        stream: TcpStream,
        target: &Target,
        body_len_max: usize,
    ) -> Result<Answer, ValidationFailure> {
        match target.scheme() {
            Scheme::Http => exchange::ask(stream, target, body_len_max).await,
            Scheme::Https => {
                let stream = tls::handshake(&self.tls, stream, target).await?;
                exchange::ask(stream, target, body_len_max).await
            }
        }
    }
}

/// RFC 8555 section 8.3: white space at the end of the body is ignored.
fn compare(body: &Bytes, key_authorization: &str, target: &Target) -> Result<(), ValidationFailure> {
    if body.trim_ascii_end() == key_authorization.as_bytes() {
        return Ok(());
    }
    let len = body.len();
    let text = format!("{target} answered with {len} bytes that are not the key authorization");
    Err(ValidationFailure::Unauthorized(text.into()))
}

fn wrong_status(target: &Target, status: StatusCode) -> ValidationFailure {
    let status = status.as_u16();
    ValidationFailure::Unauthorized(format!("{target} answered {status}, not 200").into())
}
