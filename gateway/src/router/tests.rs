use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http_body_util::{BodyExt, Empty};
use portreeve_queue::SystemClock;

use super::*;

/// Answers with its name and the client's address; panics on `/…/panic`.
struct Echo {
    name: &'static str,
    mounts: Vec<Mount>,
    called: AtomicBool,
}

#[async_trait]
impl Edge for Echo {
    fn mounts(&self) -> Vec<Mount> {
        self.mounts.clone()
    }

    async fn handle(&self, mut call: Call) -> Response<Bytes> {
        self.called.store(true, Ordering::SeqCst);
        assert!(!call.path.ends_with("/panic"), "asked to panic");
        let body = match call.body(4).await {
            Ok(body) => body.len().to_string(),
            Err(refusal) => refusal.to_string(),
        };
        Response::new(Bytes::from(format!(
            "{} {} body:{body}",
            self.name, call.peer.address
        )))
    }

    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(format!("{} refuses {path}: {why}", self.name)));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        response
    }
}

fn echo(name: &'static str, mounts: Vec<Mount>) -> NamedEdge {
    NamedEdge {
        name,
        edge: Arc::new(Echo {
            name,
            mounts,
            called: AtomicBool::new(false),
        }),
    }
}

fn router(transport: Transport) -> Router {
    let edges = [
        echo("wide", vec![Mount::tls_only("/a/")]),
        echo("narrow", vec![Mount::any("/a/b/"), Mount::any("/exact")]),
    ];
    let parts = RouterParts {
        metrics: Arc::default(),
        clock: Arc::new(SystemClock),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        body_timeout: Duration::from_millis(20),
    };
    Router::new(&edges, transport, parts)
}

async fn ask<B>(router: &Router, request: Request<B>) -> (u16, String)
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    let arrival = Arrival {
        peer: "192.0.2.1".parse().unwrap(),
        tls: None,
    };
    let response = router.respond(request, arrival).await;
    assert_eq!(response.headers()[REQUEST_ID].len(), 32);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path)
        .header(HOST, "pki.test")
        .body(Empty::new())
        .unwrap()
}

#[tokio::test]
async fn the_longest_prefix_answers() {
    let rows = [
        ("root", Transport::Tls, "/", 200, "up\n"),
        (
            "below the wide one",
            Transport::Tls,
            "/a/x",
            200,
            "wide 192.0.2.1 body:0",
        ),
        (
            "below the narrow one",
            Transport::Tls,
            "/a/b/x",
            200,
            "narrow 192.0.2.1 body:0",
        ),
        (
            "an exact path",
            Transport::Tls,
            "/exact",
            200,
            "narrow 192.0.2.1 body:0",
        ),
        (
            "not below an exact path",
            Transport::Tls,
            "/exact/x",
            404,
            "not found\n",
        ),
        ("nothing", Transport::Tls, "/nothing", 404, "not found\n"),
        (
            "TLS only, asked in the clear",
            Transport::Plain,
            "/a/x",
            404,
            "not found\n",
        ),
        (
            "anywhere, asked in the clear",
            Transport::Plain,
            "/a/b/x",
            200,
            "narrow 192.0.2.1 body:0",
        ),
    ];
    for (name, transport, path, status, body) in rows {
        assert_eq!(
            ask(&router(transport), get(path)).await,
            (status, body.to_owned()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn the_root_answers_get_only() {
    let request = Request::post("/")
        .header(HOST, "pki.test")
        .body(Empty::<Bytes>::new())
        .unwrap();
    assert_eq!(ask(&router(Transport::Tls), request).await.0, 405);
}

#[tokio::test]
async fn a_panic_in_an_edge_is_one_failed_request() {
    let router = router(Transport::Tls);
    assert_eq!(
        ask(&router, get("/a/panic")).await,
        (500, "internal error\n".to_owned())
    );
    assert_eq!(ask(&router, get("/a/x")).await.0, 200);
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let router = router(Transport::Tls);
    let post = |body: &'static str| {
        let request = Request::post("/a/x").header(HOST, "pki.test");
        request.body(Full::new(Bytes::from(body))).unwrap()
    };
    assert_eq!(ask(&router, post("1234")).await.1, "wide 192.0.2.1 body:4");
    assert_eq!(
        ask(&router, post("12345")).await.1,
        "wide 192.0.2.1 body:the request body is too large"
    );

    let mut announced = post("12");
    announced
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(BODY_BYTES_MAX + 1));
    let refused = "wide refuses /a/x: the request body is too large";
    assert_eq!(ask(&router, announced).await, (413, refused.to_owned()));

    let stalled = Request::post("/a/x").header(HOST, "pki.test");
    let stalled = stalled.body(Stalled).unwrap();
    let late = "wide 192.0.2.1 body:the request body did not arrive in time";
    assert_eq!(ask(&router, stalled).await.1, late);
}

#[tokio::test]
async fn a_request_names_one_host() {
    let rows = [
        ("one", Version::HTTP_11, 1, 200),
        ("none", Version::HTTP_11, 0, 400),
        ("two", Version::HTTP_11, 2, 400),
        ("none, HTTP/1.0", Version::HTTP_10, 0, 200),
        ("two, HTTP/1.0", Version::HTTP_10, 2, 400),
    ];
    for (name, version, hosts, status) in rows {
        let mut request = Request::get("/a/x").version(version);
        for _ in 0..hosts {
            request = request.header(HOST, "pki.test");
        }
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        assert_eq!(ask(&router(Transport::Tls), request).await.0, status, "{name}");
    }
}

#[tokio::test]
async fn endless_paths_are_refused() {
    let path = format!("/a/{}", "x".repeat(PATH_BYTES_MAX));
    assert_eq!(ask(&router(Transport::Tls), get(&path)).await.0, 414);
}

#[tokio::test]
async fn proxies_that_are_trusted_name_the_client() {
    let router = router(Transport::Tls);
    let mut request = get("/a/x");
    request
        .headers_mut()
        .insert("x-forwarded-for", HeaderValue::from_static("198.51.100.7"));
    let arrival = Arrival {
        peer: "10.1.1.1".parse().unwrap(),
        tls: None,
    };
    let response = router.respond(request, arrival).await;
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(b"wide 198.51.100.7 "), "{body:?}");
}

/// A body that never comes.
struct Stalled;

impl http_body::Body for Stalled {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}
