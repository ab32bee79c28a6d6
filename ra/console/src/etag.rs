//! Versions of objects in `ETag`, `If-Match` and `If-None-Match`.

use axum::extract::FromRequestParts;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use portreeve_ra::operators::Condition;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ObjectBuilder, Required, Type};

use crate::problem::Problem;

/// The tag of a version.
pub(crate) fn tag(version: u32) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("\"v{version}\""));
    [(ETAG, value.unwrap_or_else(|_| HeaderValue::from_static("\"v0\"")))]
}

/// What a caller says must be in force. A change without it is refused: two who edit the same text must not undo each
/// other's work unseen.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected(pub(crate) Condition);

impl<S: Send + Sync> FromRequestParts<S> for Expected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        expected(&parts.headers).map(Self)
    }
}

/// The same where a caller need not say anything: then anything may be in force.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct ExpectedIfSaid(pub(crate) Condition);

impl<S: Send + Sync> FromRequestParts<S> for ExpectedIfSaid {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match expected(&parts.headers) {
            Err(Problem::PreconditionRequired) => Ok(Self(Condition::Any)),
            said => said.map(Self),
        }
    }
}

/// In the description of the API.
impl utoipa::IntoParams for Expected {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        conditions("One of If-Match and If-None-Match is needed.")
    }
}

impl utoipa::IntoParams for ExpectedIfSaid {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        conditions("Without one of If-Match and If-None-Match, whatever is in force is replaced.")
    }
}

fn conditions(otherwise: &str) -> Vec<Parameter> {
    let described = |name: &str, said: &str, example: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(format!("{said} {otherwise}")))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .example(Some(example.into()))
            .build()
    };
    vec![
        described(
            "If-Match",
            "Only if this version is in force, as its ETag says, or any with *.",
            "\"v1\"",
        ),
        described("If-None-Match", "Only if no version is in force: *.", "*"),
    ]
}

fn expected(headers: &HeaderMap) -> Result<Condition, Problem> {
    let read = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or_default().trim())
    };
    match (read(IF_MATCH), read(IF_NONE_MATCH)) {
        (None, None) => Err(Problem::PreconditionRequired),
        (Some("*"), None) => Ok(Condition::Any),
        (None, Some("*")) => Ok(Condition::Absent),
        (Some(tag), None) => tag
            .strip_prefix("\"v")
            .and_then(|rest| rest.strip_suffix('"'))
            .and_then(|number| number.parse().ok())
            .map(Condition::Version)
            .ok_or(Problem::PreconditionFailed),
        _ => Err(Problem::Malformed(
            "give one of If-Match and If-None-Match: *".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions() {
        let rows = [
            ("a version", Some("\"v3\""), None, Ok(Condition::Version(3))),
            ("any", Some("*"), None, Ok(Condition::Any)),
            ("none", None, Some("*"), Ok(Condition::Absent)),
            ("nothing said", None, None, Err("precondition_required")),
            ("another tag", Some("\"abc\""), None, Err("precondition_failed")),
            ("a weak tag", Some("W/\"v3\""), None, Err("precondition_failed")),
            ("both", Some("*"), Some("*"), Err("malformed")),
            ("a tag that must not be", None, Some("\"v3\""), Err("malformed")),
        ];
        for (name, matching, none, wanted) in rows {
            let mut headers = HeaderMap::new();
            matching.map(|text| headers.insert(IF_MATCH, HeaderValue::from_static(text)));
            none.map(|text| headers.insert(IF_NONE_MATCH, HeaderValue::from_static(text)));
            assert_eq!(
                expected(&headers).map_err(|problem| problem.code()),
                wanted,
                "{name}"
            );
        }
        assert_eq!(tag(7)[0].1, "\"v7\"");
    }
}
