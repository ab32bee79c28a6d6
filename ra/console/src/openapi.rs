//! The description of the API, made from its code.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContactBuilder, InfoBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, RefOr, Required, Response, Type,
};

use crate::problem::ProblemDocument;

/// The path under which the description is served, to anybody: it says nothing about an installation.
pub const PATH: &str = "/api/v1/openapi.json";

/// What the description begins with: who may call, and how failures look.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Portreeve operator API")
        .description(Some(
            "Failures are problem documents (RFC 9457) with a stable code. Lists answer items and next_cursor. Objects \
             with versions carry an ETag and are changed with If-Match. A POST with an Idempotency-Key is done once.",
        ))
        .version("1")
        .contact(Some(ContactBuilder::new().name(Some("Portreeve")).build()))
        .build();
    let http = |scheme| SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
    let components = utoipa::openapi::ComponentsBuilder::new()
        .schema_from::<ProblemDocument>()
        .security_scheme("token", http(HttpAuthScheme::Bearer))
        .security_scheme("password", http(HttpAuthScheme::Basic))
        .security_scheme(
            "certificate",
            SecurityScheme::MutualTls {
                description: Some("a client certificate of the management CA".to_owned()),
                extensions: None,
                deprecated: None,
            },
        )
        .build();
    let none: [&str; 0] = [];
    let ways = ["token", "password", "certificate"].map(|way| SecurityRequirement::new(way, none));
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some(ways))
        .build()
}

/// Names each call by its method and path, as handlers of several resources may have one name, and adds what holds for all.
fn completed(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        let words = path
            .trim_start_matches("/api/v1/")
            .replace(['{', '}'], "")
            .replace('/', "_");
        let calls = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("delete", &mut item.delete),
        ];
        for (method, call) in calls {
            if let Some(call) = call {
                call.operation_id = Some(format!("{method}_{words}"));
                if method == "post" {
                    call.parameters
                        .get_or_insert_default()
                        .push(RefOr::T(idempotency_key()));
                }
                call.responses.responses.values_mut().for_each(worded);
            }
        }
    }
}

/// OpenAPI 3.1 requires a description of each answer.
fn worded(response: &mut RefOr<Response>) {
    if let RefOr::T(response) = response
        && response.description.is_empty()
    {
        "it was done; this is what there is now".clone_into(&mut response.description);
    }
}

/// What every POST may carry.
fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "1 to 128 printable ASCII characters, chosen by the caller: the same call with the same key is done once.",
        ))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// The description as text, with what the mounter of the API answers besides.
pub fn document(further: impl IntoIterator<Item = OpenApi>) -> String {
    let mut description = crate::resources().into_openapi();
    for other in further {
        description.merge(other);
    }
    completed(&mut description);
    let mut text = serde_json::to_string_pretty(&description).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_needs_somebody_and_says_how_it_fails() {
        let description: serde_json::Value = serde_json::from_str(&document([])).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        let paths = description["paths"].as_object().unwrap();
        assert!(paths.len() > 15);
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in paths {
            for (method, call) in item.as_object().unwrap() {
                assert!(
                    ids.insert(call["operationId"].as_str().unwrap_or_default().to_owned()),
                    "{method} {path}: id twice"
                );
                let responses = call["responses"].as_object().unwrap();
                let described = responses.values().all(|answer| answer["description"].is_string());
                assert!(described, "{method} {path}: an answer without a description");
                for status in ["4XX", "5XX"] {
                    let type_only = responses[status]["content"].as_object().unwrap();
                    assert!(
                        type_only.contains_key("application/problem+json"),
                        "{method} {path}"
                    );
                }
            }
        }
    }
}
