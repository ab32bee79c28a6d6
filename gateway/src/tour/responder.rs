//! Answers http-01 for the tour, on loopback only.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::{LimitsSection, Span};
use crate::listener::{Bounds, Sharing, bind, serve_connection};

const PREFIX: &str = "/.well-known/acme-challenge/";

type Answers = Arc<Mutex<HashMap<String, String>>>;

/// A server that ends when it is dropped.
pub(super) struct Responder {
    answers: Answers,
    _running: DropGuard,
}

impl Responder {
    pub(super) fn start(address: SocketAddr) -> std::io::Result<Self> {
        let listener = bind(address, Sharing::Exclusive).map_err(|error| error.source)?;
        let answers = Answers::default();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, Arc::clone(&answers), stop.clone()));
        Ok(Self {
            answers,
            _running: stop.drop_guard(),
        })
    }

    /// Answers this token from now on.
    pub(super) fn answer(&self, token: &str, key_authorization: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), key_authorization.to_owned());
    }
}

async fn serve(listener: TcpListener, answers: Answers, stop: CancellationToken) {
    let short = Span(Duration::from_secs(5));
    let limits = LimitsSection {
        header_timeout: short,
        idle_timeout: short,
        ..LimitsSection::default()
    };
    let bounds = Bounds::of(&limits);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let answers = Arc::clone(&answers);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = respond(&answers, request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(serve_connection(stream, service, bounds, stop.clone()));
    }
}

fn respond(answers: &Answers, path: &str) -> Response<Full<Bytes>> {
    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
    let found = path.strip_prefix(PREFIX).and_then(|token| answers.get(token));
    let mut response = Response::new(Full::new(Bytes::from(found.cloned().unwrap_or_default())));
    if found.is_none() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}
