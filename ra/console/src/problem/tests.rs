use super::*;
use portreeve_ra::InternalError;

#[test]
fn failures_have_a_status_and_a_stable_code() {
    let unavailable = Error::Unavailable {
        retry_after: Duration::from_millis(200),
    };
    let internal = Error::Internal(InternalError::NoBackend("secret-name".to_owned()));
    let rows = [
        (Problem::NoPrincipal, 401, "no_principal", None),
        (Problem::NotFound("request"), 404, "not_found", None),
        (Problem::BadCursor, 400, "bad_cursor", None),
        (
            portreeve_ra::search::parse("cn<", portreeve_ra::search::Among::Requests)
                .unwrap_err()
                .into(),
            400,
            "bad_query",
            None,
        ),
        (Problem::SerialMismatch, 409, "serial_mismatch", None),
        (Problem::SelectionMismatch, 409, "selection_mismatch", None),
        (
            SearchError::Ambiguous(vec!["a".to_owned()]).into(),
            409,
            "ambiguous_serial",
            None,
        ),
        (Problem::NothingToDecide("issued"), 409, "nothing_to_decide", None),
        (
            Problem::Ra(Refusal::DigestMismatch.into()),
            409,
            "digest_mismatch",
            None,
        ),
        (
            Problem::Ra(Refusal::UnknownRequest.into()),
            404,
            "unknown_request",
            None,
        ),
        (Problem::Ra(unavailable), 503, "unavailable", Some("1")),
        (
            Problem::Ra(Refusal::RateLimited(Duration::from_millis(6_001)).into()),
            429,
            "rate_limited",
            Some("7"),
        ),
        (Problem::Ra(internal), 500, "internal", None),
    ];
    for (problem, status, code, retry) in rows {
        let named = problem.to_string();
        assert_eq!(problem.code(), code, "{named}");
        assert!(!problem.detail().contains("secret-name"), "{named}");
        let response = problem.into_response();
        assert_eq!(response.status().as_u16(), status, "{named}");
        assert_eq!(
            response.headers()[CONTENT_TYPE],
            "application/problem+json",
            "{named}"
        );
        let after = response
            .headers()
            .get(RETRY_AFTER)
            .map(|value| value.to_str().unwrap());
        assert_eq!(after, retry, "{named}");
    }
}
