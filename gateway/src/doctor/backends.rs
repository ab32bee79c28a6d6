//! CAs behind somebody else's server, of a node that does not run: a running one says how they are by itself.

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::BackendName;
use portreeve_ra::ports::{CaBackend, CaHealth, Clock};

use super::{Finding, Severity};
use crate::backends;
use crate::config::{BackendKind, BackendSection, Config};

/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Every one that is configured.
pub(super) async fn configured(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, section) in &config.backend {
        match section.kind {
            BackendKind::Local => {}
            BackendKind::Est => findings.push(est(name, section, (config, Arc::clone(clock))).await),
        }
    }
    findings
}

/// A server that does not answer now is a warning: requests wait for it.
async fn est(name: &str, section: &BackendSection, with: (&Config, Arc<dyn Clock>)) -> Finding {
    let check = format!("backend {name}");
    let made = BackendName::new(name).map_err(|error| error.to_string());
    let made = made.and_then(|name| backends::est(&name, section, with).map_err(|error| error.to_string()));
    let backend = match made {
        Ok(backend) => backend,
        Err(reason) => return Finding::new(check, Severity::Error, reason),
    };
    match tokio::time::timeout(ANSWER_TIMEOUT, backend.health()).await {
        Ok(CaHealth::Ready) => Finding::new(check, Severity::Ok, "answers, and names the pinned issuer"),
        Ok(CaHealth::NotReady(reason)) => Finding::new(check, Severity::Warning, reason),
        Err(_) => Finding::new(check, Severity::Warning, "no answer in time"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_queue::SystemClock;
    use std::path::Path;

    /// A configuration whose CA nobody serves, and the folder of its files.
    fn config(folder: &Path) -> Config {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).expect("root");
        std::fs::write(folder.join("root.pem"), root.pem()).expect("written");
        std::fs::write(folder.join("password"), "secret").expect("written");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("address").port();
        let text = format!(
            "[server]\ndata_dir = \"{folder}\"\n[backend.issuing]\n[backend.a]\nkind = \"est\"\n[backend.a.est]\n\
             url = \"https://127.0.0.1:{port}/.well-known/est\"\nserver_ca = \"root.pem\"\nissuer = \"root.pem\"\n\
             username = \"u\"\npassword = {{ file = \"password\" }}\n",
            folder = folder.display(),
        );
        toml::from_str(&text).expect("configuration")
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_a_warning_and_a_missing_file_an_error() {
        let folder = tempfile::tempdir().expect("folder");
        let config = config(folder.path());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let findings = configured(&config, &clock).await;
        let [finding] = findings.as_slice() else {
            panic!("one backend, one finding: {findings:?}");
        };
        assert_eq!(finding.severity, Severity::Warning, "{}", finding.detail);
        assert_eq!(finding.check, "backend a");
        std::fs::remove_file(folder.path().join("password")).expect("removed");
        let findings = configured(&config, &clock).await;
        let detail = &findings.first().expect("a finding").detail;
        assert!(detail.contains("backend.a.est.password"), "{detail}");
        assert_eq!(findings.first().map(|one| one.severity), Some(Severity::Error));
    }
}
