//! Answers http-01, at once or when it is let.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::FaultError;

/// A web server that knows the answers to challenges. All clones are the same server.
#[derive(Clone, Debug)]
pub struct Responder {
    port: u16,
    answers: Arc<Mutex<HashMap<String, String>>>,
    open: Arc<watch::Sender<bool>>,
    asked: Arc<watch::Sender<u64>>,
}

impl Responder {
    /// Starts it on a free port.
    pub async fn start() -> Result<Self, FaultError> {
        let system = FaultError::system("responder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(system)?;
        let port = listener
            .local_addr()
            .map_err(FaultError::system("responder"))?
            .port();
        let (answers, open) = (Arc::default(), Arc::new(watch::Sender::new(true)));
        let this = Self {
            port,
            answers,
            open,
            asked: Arc::default(),
        };
        tokio::spawn(this.clone().serve(listener));
        Ok(this)
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What to answer for a token.
    pub fn answer(&self, token: &str, key_authorization: &str) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(token.to_owned(), key_authorization.to_owned());
    }

    /// Lets whoever asks wait until [`Self::release`].
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Answers everybody who waits and who comes.
    pub fn release(&self) {
        self.open.send_replace(true);
    }

    /// Waits until it has been asked this many times.
    pub async fn asked(&self, times: u64) {
        let _ = self.asked.subscribe().wait_for(|asked| *asked >= times).await;
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(self.clone().respond(stream));
        }
    }

    /// Answers `GET /.well-known/acme-challenge/TOKEN`.
    async fn respond(self, mut stream: TcpStream) {
        let mut request = vec![0; 4096];
        let length = stream.read(&mut request).await.unwrap_or(0);
        let request = String::from_utf8_lossy(request.get(..length).unwrap_or_default()).into_owned();
        let token = request
            .split(' ')
            .nth(1)
            .and_then(|path| path.rsplit('/').next())
            .unwrap_or_default();
        self.asked.send_modify(|asked| *asked += 1);
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        let answer = self
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned();
        let (status, body) = answer.map_or(("404 Not Found", String::new()), |answer| ("200 OK", answer));
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    }
}
