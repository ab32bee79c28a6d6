//! The EST flow: every worker is a device with a certificate of its manufacturer.

mod manufacturer;
pub(crate) mod options;

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request as HttpRequest, header};
use http_body_util::Full;
use portreeve_pkix::{Certificate, pem};
use portreeve_wire::cms::certs_only;

use self::manufacturer::Manufacturer;
use self::options::{Connections, EstOptions};
use crate::closed_loop::{self, Worker};
use crate::connection::{Connection, Target};
use crate::error::LoadError;
use crate::measure::{Measurements, Step};
use crate::prepare::Requests;
use crate::report::Report;
use crate::verify::Issued;

/// What the devices share.
struct Run {
    requests: Requests,
    connections: Connections,
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
    let tls_root = &options.run.tls_root;
    let target = Target::new(&options.url, tls_root)?;
    let run = Arc::new(Run {
        issuers: chain(&mut Connection::new(target.clone()), &target.url).await?,
        requests: Requests::prepare(&options.run.name, options.run.prepared)?,
        connections: options.connections,
    });
    let mut devices = Vec::with_capacity(options.run.clients);
    for number in 0..options.run.clients {
        let identity = manufacturer.device(number)?;
        let target = Target::of_device(&options.url, tls_root, identity)?;
        devices.push(Device {
            run: Arc::clone(&run),
            url: format!("{}/simpleenroll", target.url),
            connection: Connection::new(target),
            measured: Measurements::default(),
        });
    }
    closed_loop::run(devices, &options.run).await
}

/// A device.
struct Device {
    run: Arc<Run>,
    url: String,
    connection: Connection,
    measured: Measurements,
}

impl Worker for Device {
    async fn get(&mut self, number: u64) -> Result<Issued, LoadError> {
        let request = self.run.requests.take(number)?;
        let started = Instant::now();
        if self.run.connections == Connections::Fresh {
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
        let chain = Bytes::from(format!("{leaf}{}", self.run.issuers));
        Ok(Issued { request, chain })
    }

    fn measured(&mut self) -> &mut Measurements {
        &mut self.measured
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
