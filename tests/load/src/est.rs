//! The EST flow: a closed loop of workers, each a device with a certificate of its manufacturer.

mod manufacturer;
pub(crate) mod options;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request as HttpRequest, header};
use http_body_util::Full;
use portreeve_pkix::{Certificate, pem};
use portreeve_wire::cms::certs_only;
use tokio::task::JoinSet;

use self::manufacturer::Manufacturer;
use self::options::{Connections, EstOptions};
use crate::connection::{Connection, Target};
use crate::error::LoadError;
use crate::measure::{Measurements, Step};
use crate::outcome::{Before, report};
use crate::prepare::Requests;
use crate::report::Report;
use crate::verify::{Issued, verify};

/// What the workers share.
struct Run {
    requests: Requests,
    next: AtomicU64,
    count: u64,
    connections: Connections,
    deadline: Option<Instant>,
    /// The certificates of the CA, PEM.
    issuers: String,
}

/// Runs the whole load and checks what came of it.
pub(crate) async fn run(options: EstOptions) -> Result<Report, LoadError> {
    let Some(manufacturer) = Manufacturer::open(&options.manufacturer)? else {
        Manufacturer::create(&options.manufacturer, &options.endpoint)?;
        return Err(LoadError::Usage(
            "a CA of devices was made; let the gateway trust it with `portreeve apply -f` of that folder, then run again",
        ));
    };
    let target = Target::new(&options.url, &options.tls_root)?;
    let issuers = chain(&mut Connection::new(target.clone()), &target.url).await?;
    let mut workers = Vec::with_capacity(options.clients);
    for number in 0..options.clients {
        let identity = manufacturer.device(number)?;
        let target = Target::of_device(&options.url, &options.tls_root, identity)?;
        workers.push(Worker {
            url: format!("{}/simpleenroll", target.url),
            connection: Connection::new(target),
            measured: Measurements::default(),
        });
    }
    let requests = Requests::prepare(&options.name, options.prepared)?;
    let run = Arc::new(Run {
        requests,
        next: AtomicU64::new(0),
        count: options.count,
        connections: options.connections,
        deadline: options.seconds.map(|seconds| Instant::now() + seconds),
        issuers,
    });
    let before = Before::take(options.pid);
    let (measured, issued) = work(&run, workers).await;
    let after = before.until_now();
    let verification = verify(&issued, options.ca_root.as_deref())?;
    Ok(report(options.clients, (measured, &issued), after, verification))
}

async fn work(run: &Arc<Run>, workers: Vec<Worker>) -> (Measurements, Vec<Issued>) {
    let mut running = JoinSet::new();
    for worker in workers {
        running.spawn(worker.work(Arc::clone(run)));
    }
    let (mut measured, mut issued) = (Measurements::default(), Vec::new());
    while let Some(joined) = running.join_next().await {
        match joined {
            Ok((measurements, certificates)) => {
                measured.add(measurements);
                issued.extend(certificates);
            }
            Err(error) => measured.failed(&LoadError::Key(format!("a worker ended: {error}"))),
        }
    }
    (measured, issued)
}

/// A device.
struct Worker {
    url: String,
    connection: Connection,
    measured: Measurements,
}

impl Worker {
    /// Enrols until the count is reached or the time is over.
    async fn work(mut self, run: Arc<Run>) -> (Measurements, Vec<Issued>) {
        let mut issued = Vec::new();
        while let Some(number) = run.ticket() {
            match self.enroll(&run, number).await {
                Ok(certificate) => issued.push(certificate),
                Err(error) => self.measured.failed(&error),
            }
        }
        (self.measured, issued)
    }

    async fn enroll(&mut self, run: &Run, number: u64) -> Result<Issued, LoadError> {
        let request = run.requests.take(number)?;
        let started = Instant::now();
        if run.connections == Connections::Fresh {
            self.connection.close();
            self.connection.open().await?;
            self.measured.took(Step::Connect, started.elapsed());
        }
        let posted = Instant::now();
        let http = HttpRequest::post(&self.url)
            .header(header::CONTENT_TYPE, "application/pkcs10")
            .body(Full::new(Bytes::from(STANDARD.encode(&request.csr))))
            .map_err(|_| LoadError::Answer("URL"))?;
        self.measured.requests += 1;
        let answer = self.connection.send(http).await?;
        if answer.status() != 200 {
            return Err(refused(answer.status().as_u16(), answer.body()));
        }
        self.measured.took(Step::Enroll, posted.elapsed());
        self.measured.took(Step::Issuance, started.elapsed());
        let leaf = pem_of(answer.body())?;
        let chain = Bytes::from(format!("{leaf}{}", run.issuers));
        Ok(Issued { request, chain })
    }
}

impl Run {
    /// The number of the next certificate, as long as there is one to get.
    fn ticket(&self) -> Option<u64> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return None;
        }
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        (ticket < self.count).then_some(ticket)
    }
}

/// The certificates of the CA without its root, from the one that signs upwards, PEM.
async fn chain(connection: &mut Connection, url: &str) -> Result<String, LoadError> {
    let request = HttpRequest::get(format!("{url}/cacerts")).body(Full::default());
    let answer = connection
        .send(request.map_err(|_| LoadError::Answer("URL"))?)
        .await?;
    if answer.status() != 200 {
        return Err(refused(answer.status().as_u16(), answer.body()));
    }
    let certificates = certificates(answer.body())?;
    let issuing = certificates.iter().filter(|it| it.issuer() != it.subject());
    let issuing: String = issuing.map(|it| pem::encode("CERTIFICATE", it.der())).collect();
    Ok(issuing)
}

fn certificates(body: &[u8]) -> Result<Vec<Certificate>, LoadError> {
    let text: Vec<u8> = body
        .iter()
        .copied()
        .filter(|octet| !octet.is_ascii_whitespace())
        .collect();
    let der = STANDARD.decode(text).map_err(|_| LoadError::Answer("base64"))?;
    certs_only::decode(&der).map_err(|_| LoadError::Answer("certificates"))
}

fn pem_of(body: &[u8]) -> Result<String, LoadError> {
    let certificates = certificates(body)?;
    let encoded = certificates.iter().map(|it| pem::encode("CERTIFICATE", it.der()));
    Ok(encoded.collect())
}

fn refused(status: u16, body: &[u8]) -> LoadError {
    LoadError::Problem {
        status,
        kind: "refused".to_owned(),
        detail: String::from_utf8_lossy(body).trim().to_owned(),
    }
}
