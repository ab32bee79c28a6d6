//! The operator API as the gateway mounts it: the console's, what only a node itself can tell, and the audit log.

mod node;

use std::path::PathBuf;
use std::sync::Arc;

use portreeve_console::auth::Passwords;
use portreeve_console::{CertifyOperators, ConsoleParts, openapi};
use portreeve_ra::ports::WakeKey;
use portreeve_ra::{ObjectKind, Role};

use crate::audit::{self, AuditApi};
use crate::wiring::Node;
use crate::workbench::PolicyWorkbench;

/// What the operator API makes things with that operators sign in with.
pub struct Means {
    /// Where one-time credentials are written.
    pub data_dir: PathBuf,
    /// Issues certificates of operators, on nodes with the key of the management CA.
    pub certifier: Option<Arc<dyn CertifyOperators>>,
    /// Hashes passwords.
    pub passwords: Arc<Passwords>,
}

/// The operator API of a node, for whoever signed in.
pub fn operator_api(node: &Node, means: Means) -> axum::Router {
    let wakeups = Arc::clone(&node.shared.wakeups);
    // This node and the others look again at what they serve.
    let published = move |_: ObjectKind| wakeups.wake(WakeKey::Configuration);
    let parts = ConsoleParts {
        ra: Arc::clone(&node.ra),
        workbench: Arc::new(PolicyWorkbench),
        published: Arc::new(published),
        documents: Arc::clone(&node.shared.installation.store.documents),
        random: Arc::clone(&node.shared.installation.random),
        data_dir: means.data_dir,
        certifier: means.certifier,
        passwords: means.passwords,
    };
    let further = node::NodeApi::of(node).router();
    if node.shared.installation.roles.has(Role::Console) {
        let audit = AuditApi::new(Arc::clone(&node.ra), node.shared.installation.clone());
        portreeve_console::router(parts, further.merge(audit.router()))
    } else {
        portreeve_console::without_resources(further)
    }
}

/// The description of all of it: the file `docs/openapi.json`.
pub fn description() -> String {
    openapi::document([node::routes().into_openapi(), audit::description()])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// With BLESS=1 in the environment the file is written anew.
    #[test]
    fn openapi_the_checked_in_description_is_that_of_the_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, description()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == description(),
            "docs/openapi.json differs from the code: run BLESS=1 cargo test -p portreeve openapi"
        );
    }

    #[test]
    fn openapi_names_every_call_once_and_its_parts_are_there() {
        let text = description();
        let description: Value = serde_json::from_str(&text).unwrap();
        let paths = description["paths"].as_object().unwrap();
        for path in [
            "/api/v1/health",
            "/api/v1/doctor",
            "/api/v1/authorities",
            "/api/v1/audit",
            "/api/v1/audit/events",
            "/api/v1/audit/checkpoints",
            "/api/v1/audit/proofs/{serial}",
            "/api/v1/requests/{id}/erase",
            "/api/v1/requests",
        ] {
            assert!(paths.contains_key(path), "{path}");
        }
        let calls = paths.values().flat_map(|item| item.as_object().unwrap().values());
        let ids: Vec<&str> = calls.map(|call| call["operationId"].as_str().unwrap()).collect();
        let once: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), once.len());
        let schemas = description["components"]["schemas"].as_object().unwrap();
        for named in text.split("#/components/schemas/").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
    }

    /// Whatever is mounted is mounted with its description: nothing adds a path of the API otherwise.
    #[test]
    fn openapi_every_mounted_path_is_described() {
        fn look(folder: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    look(&path, found);
                    continue;
                }
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let bare = [".route(", ".route_service(", ".nest("];
                if bare.iter().any(|call| code.contains(call)) {
                    found.push(path.display().to_string());
                }
            }
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = Vec::new();
        for folder in ["src", "../ra/console/src"] {
            look(&root.join(folder), &mut found);
        }
        assert!(found.is_empty(), "paths without a description: {found:?}");
    }
}
