//! The web server that http-01 asks: the key authorization for every token it was told.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::error::LoadError;

const PATH: &str = "GET /.well-known/acme-challenge/";
const REQUEST_BYTES_MAX: usize = 4_096;

/// What is answered for which token.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<HashMap<String, String>>>);

impl Answers {
    /// Answers `key_authorization` from now on.
    pub(crate) fn put(&self, token: &str, key_authorization: String) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.to_owned(), key_authorization);
    }

    /// Knows the token no longer.
    pub(crate) fn take(&self, token: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(token);
    }

    fn find(&self, token: &str) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .cloned()
    }
}

/// Answers on 127.0.0.1 until the runtime ends; returns where.
pub(crate) async fn serve(port: u16, answers: Answers) -> Result<SocketAddr, LoadError> {
    let fail = |source| LoadError::Network {
        what: "the http-01 responder",
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(fail)?;
    let address = listener.local_addr().map_err(fail)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(respond(stream, answers.clone()));
        }
    });
    Ok(address)
}

async fn respond(mut stream: TcpStream, answers: Answers) {
    let mut request = Vec::with_capacity(512);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < REQUEST_BYTES_MAX {
        match stream.read_buf(&mut request).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
    let found = token(&request).and_then(|token| answers.find(token));
    let (status, body) = found.map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n");
    let answer = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn token(request: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(request.split(|byte| *byte == b'\r').next()?).ok()?;
    line.strip_prefix(PATH)?.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: n.test\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn known_tokens_are_answered_and_others_are_not_found() {
        let answers = Answers::default();
        let address = serve(0, answers.clone()).await.unwrap();
        answers.put("tok", "tok.thumb".to_owned());
        let path = "/.well-known/acme-challenge/tok";
        assert!(get(address, path).await.ends_with("\r\n\r\ntok.thumb"));
        assert!(get(address, "/tok").await.starts_with("HTTP/1.1 404"));
        answers.take("tok");
        assert!(get(address, path).await.starts_with("HTTP/1.1 404"));
    }
}
