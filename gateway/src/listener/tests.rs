use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use portreeve_edge::{BodyRefusal, Call, ComesBack, Edge, Mount, SpelledOut};
use portreeve_queue::SystemClock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::tls::{ChannelBinding, CurrentCertificate, acceptor};
use super::*;
use crate::config::{ClientCertificates, ExtendedMasterSecret, Span, Transport};
use crate::router::{NamedEdge, RouterParts};

mod closing;
mod returning;
mod tls;

/// Reads the body and says how long it was; `/wait/` answers when told to, `/peer/` says what TLS knows of the client,
/// `/who/` lets in who gives its password.
struct Length {
    go_on: Arc<Notify>,
    begun: Arc<Notify>,
}

#[async_trait]
impl Edge for Length {
    fn mounts(&self) -> Vec<Mount> {
        ["/length/", "/wait/", "/peer/", "/who/"].map(Mount::any).to_vec()
    }

    async fn handle(&self, mut call: Call) -> Response<Bytes> {
        if call.path.starts_with("/wait/") {
            self.begun.notify_one();
            self.go_on.notified().await;
            return Response::new(Bytes::from_static(b"waited"));
        }
        if call.path.starts_with("/peer/") {
            return Response::new(Bytes::from(format!("{:?}", call.peer.tls)));
        }
        if call.path.starts_with("/who/") && !call.headers.contains_key("authorization") {
            let mut response = Response::new(Bytes::from_static(b"who?"));
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
            let basic = http::HeaderValue::from_static("Basic realm=\"a\"");
            response
                .headers_mut()
                .insert(http::header::WWW_AUTHENTICATE, basic);
            response.extensions_mut().insert(ComesBack);
            response.extensions_mut().insert(SpelledOut);
            let _ = call.body(1024).await;
            return response;
        }
        let text = match call.body(1024).await {
            Ok(body) => format!("length {}", body.len()),
            Err(refusal) => refusal.to_string(),
        };
        Response::new(Bytes::from(text))
    }

    fn refuse(&self, _: BodyRefusal, _: &str) -> Response<Bytes> {
        Response::new(Bytes::from_static(b"refused"))
    }
}

struct Running {
    address: SocketAddr,
    drain: Drain,
    go_on: Arc<Notify>,
    /// A request to `/wait/` has begun.
    begun: Arc<Notify>,
}

/// Ends what a test waits for.
const BRIEF: Span = Span(Duration::from_millis(300));
/// What happens at all has happened by then; limits of an hour end nothing in a test.
const PATIENCE: Duration = Duration::from_secs(60);

fn limits() -> LimitsSection {
    let hour = Span::seconds(3600);
    LimitsSection {
        handshake_timeout: hour,
        header_timeout: hour,
        body_timeout: hour,
        idle_timeout: hour,
        header_bytes_max: 2048,
        ..LimitsSection::default()
    }
}

fn start(limits: LimitsSection, certificate: Option<Arc<CurrentCertificate>>) -> Running {
    let asked = (ClientCertificates::NotAsked, ExtendedMasterSecret::Optional);
    start_asking(limits, certificate, (asked, ChannelBinding::Tls13))
}

fn start_asking(
    limits: LimitsSection,
    certificate: Option<Arc<CurrentCertificate>>,
    (asked, binding): ((ClientCertificates, ExtendedMasterSecret), ChannelBinding),
) -> Running {
    let (go_on, begun) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let edge = NamedEdge {
        name: "length",
        edge: Arc::new(Length {
            go_on: Arc::clone(&go_on),
            begun: Arc::clone(&begun),
        }),
    };
    let transport = if certificate.is_some() {
        Transport::Tls
    } else {
        Transport::Plain
    };
    let parts = RouterParts {
        metrics: Arc::default(),
        clock: Arc::new(SystemClock),
        trusted_proxies: Vec::new(),
        body_timeout: limits.body_timeout.0,
    };
    let listener = Listener {
        name: "test".to_owned(),
        socket: bind("127.0.0.1:0".parse().unwrap(), Sharing::Exclusive).unwrap(),
        tls: certificate.map(|certificate| acceptor(certificate, asked).unwrap()),
        binding,
        router: Arc::new(Router::new(&[edge], transport, parts)),
        limits,
    };
    let (address, drain) = (listener.address().unwrap(), Drain::default());
    tokio::spawn(listener.run(drain.clone()));
    Running {
        address,
        drain,
        go_on,
        begun,
    }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// Reads one response with its body, by Content-Length.
async fn response(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut octets = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")
                    .map(str::to_owned)
            });
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        let count = stream.read(&mut octets).await.unwrap();
        assert!(count > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&octets[..count]).unwrap());
    }
}

/// Reads until the other side ends the connection; says what came.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
    // A reset counts as an end.
    let _ = ended.expect("the connection was not closed");
    String::from_utf8(text).unwrap()
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
}

#[tokio::test]
async fn answers_many_requests_on_one_connection() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    for count in 0..3 {
        let body = "x".repeat(count);
        send(
            &mut stream,
            &format!("POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: {count}\r\n\r\n{body}"),
        )
        .await;
        let text = response(&mut stream).await;
        assert!(
            text.starts_with("HTTP/1.1 200") && text.ends_with(&format!("length {count}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_slow_head_ends_the_connection() {
    let brief = LimitsSection {
        header_timeout: BRIEF,
        ..limits()
    };
    let running = start(brief, None);
    let mut silent = connect(&running).await;
    assert_eq!(until_closed(&mut silent).await, "", "silent from the start");

    // One octet now and then must not prolong the time for the head.
    let mut trickle = connect(&running).await;
    send(&mut trickle, "GET /length/ HTTP/1.1\r\nhost: a\r\n").await;
    let (mut read, mut write) = trickle.into_split();
    let writing = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        while write.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    });
    let text = until_closed(&mut read).await;
    assert!(!text.contains("200 OK"), "trickled: {text}");
    writing.abort();
}

#[tokio::test]
async fn idle_connections_live_longer_than_slow_heads_and_not_for_ever() {
    let request = "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n";
    // Between requests the time for heads does not run.
    let running = start(
        LimitsSection {
            header_timeout: Span::seconds(2),
            ..limits()
        },
        None,
    );
    let mut stream = connect(&running).await;
    send(&mut stream, request).await;
    response(&mut stream).await;
    // One that began later and sends no head has reached its end by then.
    let mut silent = connect(&running).await;
    until_closed(&mut silent).await;
    send(&mut stream, request).await;
    assert!(response(&mut stream).await.ends_with("length 0"));

    let running = start(
        LimitsSection {
            idle_timeout: Span::seconds(2),
            ..limits()
        },
        None,
    );
    let mut stream = connect(&running).await;
    send(&mut stream, request).await;
    assert!(response(&mut stream).await.ends_with("length 0"));
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn oversize_heads_are_refused() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    let header = format!(
        "GET /length/ HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(4096)
    );
    send(&mut stream, &header).await;
    let text = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");

    let mut stream = connect(&running).await;
    let many: String = (0..150).map(|number| format!("a{number}: b\r\n")).collect();
    send(
        &mut stream,
        &format!("GET /length/ HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
    )
    .await;
    let text = until_closed(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 431"), "{text}");
}

#[tokio::test]
async fn oversize_and_slow_bodies_are_refused() {
    let running = start(limits(), None);
    let mut stream = connect(&running).await;
    send(
        &mut stream,
        "POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: 2000\r\n\r\n",
    )
    .await;
    assert!(
        response(&mut stream).await.ends_with("too large"),
        "announced, above the edge's limit"
    );

    let mut stream = connect(&running).await;
    send(
        &mut stream,
        "POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n",
    )
    .await;
    assert!(
        response(&mut stream).await.ends_with("refused"),
        "announced, above every limit"
    );

    let mut stream = connect(&running).await;
    send(
        &mut stream,
        "POST /length/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await;
    send(&mut stream, &format!("800\r\n{}\r\n", "z".repeat(2048))).await;
    assert!(response(&mut stream).await.ends_with("too large"), "in chunks");

    let brief = LimitsSection {
        body_timeout: BRIEF,
        ..limits()
    };
    let running = start(brief, None);
    let mut stream = connect(&running).await;
    send(
        &mut stream,
        "POST /length/ HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc",
    )
    .await;
    assert!(response(&mut stream).await.ends_with("in time"), "never complete");
}

#[tokio::test]
async fn a_full_house_makes_others_wait() {
    let running = start(
        LimitsSection {
            connections_max: 1,
            ..limits()
        },
        None,
    );
    let mut first = connect(&running).await;
    send(&mut first, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    response(&mut first).await;
    let mut second = connect(&running).await;
    send(&mut second, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    for _ in 0..50 {
        send(&mut first, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
        response(&mut first).await;
    }
    let early = second.try_read(&mut [0; 16]);
    let nothing = early
        .as_ref()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(nothing, "fifty answers later the other still waits: {early:?}");
    drop(first);
    assert!(response(&mut second).await.ends_with("length 0"));
}

#[tokio::test]
async fn draining_lets_requests_finish_and_begins_none() {
    let running = start(limits(), None);
    let mut busy = connect(&running).await;
    send(&mut busy, "GET /wait/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.begun.notified().await;
    let mut idle = connect(&running).await;
    send(&mut idle, "GET /length/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    response(&mut idle).await;

    let draining = running.drain.clone();
    let finished = tokio::spawn(async move { draining.finish(PATIENCE).await });
    assert_eq!(until_closed(&mut idle).await, "");
    running.go_on.notify_one();
    assert!(response(&mut busy).await.ends_with("waited"));
    assert!(finished.await.unwrap());
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "nobody listens any more"
    );

    let running = start(limits(), None);
    let mut stuck = connect(&running).await;
    send(&mut stuck, "GET /wait/ HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.begun.notified().await;
    assert!(
        !running.drain.finish(Duration::from_millis(50)).await,
        "a request that never ends is given up"
    );
}
