//! On which data directory `serve` starts.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portreeve::{Mode, start};

use super::{options, real};

/// Why `serve` does not start on a data directory.
async fn refusal(data_dir: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = real(folder.path(), data_dir);
    start(options(&config, Mode::Serve))
        .await
        .err()
        .unwrap()
        .to_string()
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
