//! ACME clients that persevere: whatever happens to the gateway, they come back to the same order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus,
};
use portreeve_pkix::pem;
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use tokio::task::JoinSet;

use crate::FaultError;
use crate::ledger::Ledger;
use crate::responder::Responder;
use crate::site::Site;
use crate::wire::Wire;
use portreeve_harness::pace::PATIENCE;

const PAUSE: Duration = Duration::from_millis(15);

/// A certification request for one name, in DER, under a key of its own.
pub fn request_for(name: &str) -> Result<Vec<u8>, FaultError> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(&KeyPair::generate()?)?.der().to_vec())
}

/// An account and everything around it.
pub struct Client {
    account: Account,
    endpoint: String,
    responder: Responder,
    ledger: Arc<Ledger>,
}

enum Seen {
    Certificate(Vec<u8>),
    Progress,
    End(String),
}

impl Client {
    /// Opens an account at an endpoint.
    pub async fn open(site: &Site, endpoint: &str) -> Result<Self, FaultError> {
        let directory = site.gateway.directory(endpoint)?;
        Self::at(directory, (&site.wire, &site.responder, &site.ledger), endpoint).await
    }

    /// Opens an account at a directory.
    pub async fn at(
        directory: String,
        (wire, responder, ledger): (&Wire, &Responder, &Arc<Ledger>),
        endpoint: &str,
    ) -> Result<Self, FaultError> {
        let new = NewAccount {
            contact: &[],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let started = Instant::now();
        let account = loop {
            let builder = Account::builder_with_http(Box::new(wire.clone()));
            match builder.create(&new, directory.clone(), None).await {
                Ok((account, _)) => break account,
                Err(error) if passes(&error) && started.elapsed() < PATIENCE => {}
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(PAUSE).await;
        };
        Ok(Self {
            account,
            endpoint: endpoint.to_owned(),
            responder: responder.clone(),
            ledger: Arc::clone(ledger),
        })
    }

    /// A client with an account that is there.
    pub fn of(account: Account, site: &Site, endpoint: &str) -> Self {
        let (responder, ledger) = (site.responder.clone(), Arc::clone(&site.ledger));
        Self {
            account,
            endpoint: endpoint.to_owned(),
            responder,
            ledger,
        }
    }

    /// Its account.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Orders a name, once.
    pub async fn order_once(&self, name: &str) -> Result<String, FaultError> {
        Ok(self.new_order(name).await?.url().to_owned())
    }

    /// Orders a name and comes back until that works.
    pub async fn order(&self, name: &str, limit: Duration) -> Result<String, FaultError> {
        Ok(self.persistent_order(name, limit).await?.url().to_owned())
    }

    /// Orders a name that it has proven, and finalizes the order at once: its URL, and where it stands then.
    pub async fn order_proven(
        &self,
        (name, request): (&str, &[u8]),
        limit: Duration,
    ) -> Result<(String, OrderStatus), FaultError> {
        let mut order = self.persistent_order(name, limit).await?;
        self.ledger.finalizing(order.url());
        order.finalize_csr(request).await?;
        Ok((order.url().to_owned(), order.state().status))
    }

    async fn persistent_order(&self, name: &str, limit: Duration) -> Result<Order, FaultError> {
        let started = Instant::now();
        loop {
            match self.new_order(name).await {
                Err(FaultError::Acme(error)) if passes(&error) && started.elapsed() < limit => {}
                other => return other,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn new_order(&self, name: &str) -> Result<Order, FaultError> {
        let names = [Identifier::Dns(name.to_owned())];
        let order = self.account.new_order(&NewOrder::new(&names)).await?;
        self.ledger.ordered(order.url(), &self.endpoint, name);
        Ok(order)
    }

    /// Where an order stands.
    pub async fn status(&self, url: &str) -> Result<OrderStatus, FaultError> {
        Ok(self.account.order(url.to_owned()).await?.state().status)
    }

    /// Answers the challenges of an order until it is ready.
    pub async fn make_ready(&self, url: &str, limit: Duration) -> Result<(), FaultError> {
        let started = Instant::now();
        loop {
            let mut order = self.account.order(url.to_owned()).await?;
            match order.state().status {
                OrderStatus::Pending => self.prove(&mut order).await?,
                OrderStatus::Ready => return Ok(()),
                status => return Err(ended(url, format!("{status:?}"))),
            }
            if started.elapsed() > limit {
                return Err(FaultError::Late {
                    what: format!("readiness of {url}"),
                    limit,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Finalizes an order, once, and says where it stands then.
    pub async fn finalize(&self, url: &str, request: &[u8]) -> Result<OrderStatus, FaultError> {
        let mut order = self.account.order(url.to_owned()).await?;
        self.ledger.finalizing(url);
        order.finalize_csr(request).await?;
        Ok(order.state().status)
    }

    /// Brings an order to its certificate, however often the gateway is away.
    pub async fn complete(&self, url: &str, request: &[u8], limit: Duration) -> Result<Vec<u8>, FaultError> {
        let started = Instant::now();
        loop {
            match self.step(url, request).await {
                Ok(Seen::Certificate(certificate)) => {
                    self.ledger.given(url, certificate.clone());
                    return Ok(certificate);
                }
                Ok(Seen::End(status)) => return Err(ended(url, status)),
                Ok(Seen::Progress) => {}
                Err(FaultError::Acme(error)) if passes(&error) => {}
                Err(error) => return Err(error),
            }
            if started.elapsed() > limit {
                return Err(FaultError::Late {
                    what: format!("the end of {url}"),
                    limit,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Brings an order to its certificate twice at the same moment: what each was given.
    pub async fn race(
        self: &Arc<Self>,
        (url, request): (&str, &[u8]),
        limit: Duration,
    ) -> Result<Vec<Vec<u8>>, FaultError> {
        let mut racing = JoinSet::new();
        for _ in 0..2 {
            let (client, url, request) = (Arc::clone(self), url.to_owned(), request.to_owned());
            racing.spawn(async move { client.complete(&url, &request, limit).await });
        }
        let mut given = Vec::new();
        for outcome in racing.join_all().await {
            // Whoever is told that the order is not ready any more looks again.
            given.push(match outcome {
                Ok(certificate) => certificate,
                Err(_) => self.complete(url, request, limit).await?,
            });
        }
        Ok(given)
    }

    /// From a name to its certificate.
    pub async fn obtain(&self, name: &str, limit: Duration) -> Result<Vec<u8>, FaultError> {
        let url = self.order(name, limit).await?;
        self.complete(&url, &request_for(name)?, limit).await
    }

    async fn step(&self, url: &str, request: &[u8]) -> Result<Seen, FaultError> {
        let mut order = self.account.order(url.to_owned()).await?;
        match order.state().status {
            OrderStatus::Pending => self.prove(&mut order).await?,
            OrderStatus::Ready => {
                self.ledger.finalizing(url);
                order.finalize_csr(request).await?;
            }
            OrderStatus::Processing => {}
            OrderStatus::Valid => {
                if let Some(chain) = order.certificate().await? {
                    return Ok(Seen::Certificate(leaf(&chain)?));
                }
            }
            OrderStatus::Invalid => return Ok(Seen::End(format!("invalid: {:?}", order.state().error))),
        }
        Ok(Seen::Progress)
    }

    async fn prove(&self, order: &mut Order) -> Result<(), FaultError> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let absent = || FaultError::Absent("http-01 challenge".to_owned());
            let mut challenge = authorization
                .challenge(ChallengeType::Http01)
                .ok_or_else(absent)?;
            self.responder
                .answer(&challenge.token, challenge.key_authorization().as_str());
            challenge.set_ready().await?;
        }
        Ok(())
    }
}

/// Whether it is worth coming back: no answer, or one that says so.
fn passes(error: &instant_acme::Error) -> bool {
    match error {
        instant_acme::Error::Api(problem) => matches!(problem.status, Some(429 | 503)),
        instant_acme::Error::Other(_) | instant_acme::Error::Str(_) => true,
        _ => false,
    }
}

fn ended(url: &str, status: String) -> FaultError {
    FaultError::Ended {
        url: url.to_owned(),
        status,
    }
}

fn leaf(chain: &str) -> Result<Vec<u8>, FaultError> {
    let certificates = pem::decode_all("CERTIFICATE", chain).map_err(|_| FaultError::Unreadable("chain"))?;
    certificates
        .into_iter()
        .next()
        .ok_or_else(|| FaultError::Absent("certificate in the chain".to_owned()))
}
