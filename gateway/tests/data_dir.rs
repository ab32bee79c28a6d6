//! On which data directory `serve` starts.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portreeve::{Config, Mode, StartOptions, start};

/// Why `serve` does not start on a data directory.
async fn refusal(data_dir: &Path) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[server]\ndata_dir = {data_dir:?}\nexternal_url = \"https://localhost\"\nstatus_url = \"http://localhost\"\n\
         [server.listeners.public]\naddr = \"127.0.0.1:0\"\ntls = true\nmounts = [\"acme\"]\n\
         [backend.issuing]\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let options = StartOptions {
        config: Config::load(file.path(), &[]).unwrap(),
        mode: Mode::Serve,
        program: Some(env!("CARGO_BIN_EXE_portreeve").into()),
        ..StartOptions::default()
    };
    start(options).await.err().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_makes_none_and_takes_none_that_is_open_or_empty() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let said = refusal(&missing).await;
    assert!(
        said.contains("makes no data directory") && said.contains("portreeve ca create root"),
        "{said}"
    );
    assert!(!missing.exists());
    let with_mode = |mode| {
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    with_mode(0o750);
    let said = refusal(directory.path()).await;
    assert!(said.contains("chmod 0700"), "{said}");
    with_mode(0o700);
    let said = refusal(directory.path()).await;
    assert!(said.contains("holds no installation yet"), "{said}");
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing was left behind"
    );
}
