use portreeve_ra::BackendName;

use super::*;

const NOW: i64 = 1_000_000;

struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }

    async fn sleep(&self, _: Duration) {}
}

/// An edge with one CRL that was made 100 s ago and is fresh for another 50 s.
fn edge() -> StatusEdge {
    let shelf = Arc::new(Shelf::default());
    let list = Published::new(
        b"a list".to_vec(),
        Timestamp::from_unix_seconds(NOW - 100),
        Timestamp::from_unix_seconds(NOW + 50),
    );
    shelf.put_list(&BackendName::new("issuing").unwrap(), list);
    StatusEdge::new(shelf, Arc::new(Still), StatusConfig::default())
}

#[test]
fn a_list_that_is_not_there_yet_is_late_and_not_unknown() {
    let shelf = Arc::new(Shelf::awaiting("issuing"));
    let edge = StatusEdge::new(shelf, Arc::new(Still), StatusConfig::default());
    let late = edge.answer(&Method::GET, "/crl/issuing.crl", &HeaderMap::new());
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(late.headers()[RETRY_AFTER], "5");
    let unknown = edge.answer(&Method::GET, "/crl/other.crl", &HeaderMap::new());
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

fn get(path: &str, headers: &[(HeaderName, &str)]) -> Response<Bytes> {
    let headers = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.parse().unwrap()))
        .collect();
    edge().answer(&Method::GET, path, &headers)
}

#[test]
fn a_list_with_its_headers() {
    let response = get("/crl/issuing.crl", &[]);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.body().as_ref(), b"a list");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/pkix-crl");
    assert_eq!(
        response.headers()[CACHE_CONTROL],
        "public, max-age=50",
        "no longer than it is fresh"
    );
    assert_eq!(response.headers()[LAST_MODIFIED], "Mon, 12 Jan 1970 13:45:00 GMT");
}

#[test]
fn head_has_the_headers_and_no_body() {
    let response = edge().answer(&Method::HEAD, "/crl/issuing.crl", &HeaderMap::new());
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[CONTENT_LENGTH], "6");
    assert!(response.body().is_empty());
}

#[test]
fn other_paths_and_methods() {
    for path in [
        "/crl/other.crl",
        "/crl/issuing",
        "/crl/.crl",
        "/ca/issuing.cer",
        "/crl/issuing.crl/x",
        "/crl/",
    ] {
        assert_eq!(get(path, &[]).status(), StatusCode::NOT_FOUND, "{path}");
    }
    let response = edge().answer(&Method::POST, "/crl/issuing.crl", &HeaderMap::new());
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()[ALLOW], "GET, HEAD");
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let etag = get("/crl/issuing.crl", &[]).headers()[ETAG]
        .to_str()
        .unwrap()
        .to_owned();
    let weak = format!("W/{etag}");
    let list = format!("\"x\", {etag}");
    let same = "Mon, 12 Jan 1970 13:45:00 GMT";
    let before = "Mon, 12 Jan 1970 13:44:59 GMT";
    type Row<'a> = (&'a str, Vec<(HeaderName, &'a str)>, StatusCode);
    let rows: [Row<'_>; 9] = [
        ("its ETag", vec![(IF_NONE_MATCH, &etag)], StatusCode::NOT_MODIFIED),
        (
            "as a weak one",
            vec![(IF_NONE_MATCH, &weak)],
            StatusCode::NOT_MODIFIED,
        ),
        (
            "among others",
            vec![(IF_NONE_MATCH, &list)],
            StatusCode::NOT_MODIFIED,
        ),
        ("any", vec![(IF_NONE_MATCH, "*")], StatusCode::NOT_MODIFIED),
        ("another ETag", vec![(IF_NONE_MATCH, "\"x\"")], StatusCode::OK),
        (
            "the same time",
            vec![(IF_MODIFIED_SINCE, same)],
            StatusCode::NOT_MODIFIED,
        ),
        (
            "an earlier time",
            vec![(IF_MODIFIED_SINCE, before)],
            StatusCode::OK,
        ),
        ("no time", vec![(IF_MODIFIED_SINCE, "yesterday")], StatusCode::OK),
        (
            "the ETag decides",
            vec![(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, same)],
            StatusCode::OK,
        ),
    ];
    for (name, headers, expected) in rows {
        let response = get("/crl/issuing.crl", &headers);
        assert_eq!(response.status(), expected, "{name}");
        assert_eq!(
            response.body().is_empty(),
            expected == StatusCode::NOT_MODIFIED,
            "{name}"
        );
    }
}
