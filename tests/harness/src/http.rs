//! One request in plain HTTP/1.1, as a test writes it: no redirects, one answer, and the connection is over.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A `GET` over plain TCP: status and body. Panics when nothing answers there, or no HTTP.
pub async fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    get_over(TcpStream::connect(address).await.expect("connects"), path).await
}

/// The same over a connection that is there.
pub async fn get_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> (u16, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("is answered");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    let head = String::from_utf8(answer).expect("a head in ASCII");
    let status = head.split(' ').nth(1).and_then(|digits| digits.parse().ok());
    (status.expect("a status"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn status_and_body_are_told_apart() {
        let (client, mut server) = tokio::io::duplex(1_024);
        let answering = async {
            let mut asked = vec![0; 32];
            let length = server.read(&mut asked).await.unwrap();
            assert!(asked[..length].starts_with(b"GET /a HTTP/1.1\r\n"));
            let answer = b"HTTP/1.1 404 Not Found\r\nx: 1\r\n\r\na\r\n\r\nb";
            server.write_all(answer).await.unwrap();
            drop(server);
        };
        let (answer, ()) = tokio::join!(get_over(client, "/a"), answering);
        assert_eq!(answer, (404, b"a\r\n\r\nb".to_vec()));
    }
}
