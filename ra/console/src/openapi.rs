//! The description of the API, made from its code.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContactBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

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

/// Names each call by its method and path: handlers of several resources may have one name.
fn named(description: &mut OpenApi) {
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
            }
        }
    }
}

/// The description as text: the file `docs/openapi.json`.
pub fn document() -> String {
    let (_, mut description) = crate::resources().split_for_parts();
    named(&mut description);
    let mut text = serde_json::to_string_pretty(&description).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With BLESS=1 in the environment the file is written anew.
    #[test]
    fn the_checked_in_description_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == document(),
            "docs/openapi.json differs from the code: run BLESS=1 cargo test -p portreeve-console openapi"
        );
    }

    #[test]
    fn every_call_needs_somebody_and_says_how_it_fails() {
        let description: serde_json::Value = serde_json::from_str(&document()).unwrap();
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
