//! Where a key encryption key comes from.

use std::os::unix::fs::PermissionsExt;

use portreeve_keyset::{Kek, KekError, KekSource, KeysetError};

use super::SystemRandom;

#[test]
fn kek_files() {
    let directory = tempfile::tempdir().expect("directory");
    let octets: [u8; 32] = std::array::from_fn(|i| 200 + u8::try_from(i).expect("small"));
    let expected = Kek::new(&octets).expect("kek").check().to_owned();
    let hexadecimal = octets
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect::<String>();
    let base64 = "yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc=";
    let rows: [(&str, Vec<u8>, u32, Option<&str>); 11] = [
        ("raw", octets.to_vec(), 0o600, None),
        ("hex", hexadecimal.clone().into_bytes(), 0o600, None),
        (
            "hex with newline, read-only",
            format!("{hexadecimal}\n").into_bytes(),
            0o400,
            None,
        ),
        ("base64", base64.as_bytes().to_vec(), 0o640, None),
        (
            "base64url, no padding",
            base64
                .replace('/', "_")
                .replace('+', "-")
                .replace('=', "")
                .into_bytes(),
            0o600,
            None,
        ),
        ("world-readable", octets.to_vec(), 0o604, Some("chmod 0600")),
        ("group-writable", octets.to_vec(), 0o660, Some("chmod 0600")),
        (
            "a passphrase of 32 letters",
            b"correct horse battery staple 123".to_vec(),
            0o600,
            Some("32 octets"),
        ),
        ("too short", octets[..31].to_vec(), 0o600, Some("32 octets")),
        ("empty", Vec::new(), 0o600, Some("32 octets")),
        (
            "hex of 31 octets",
            hexadecimal.as_bytes()[2..].to_vec(),
            0o600,
            Some("32 octets"),
        ),
    ];
    for (name, content, mode, refused) in rows {
        let path = directory.path().join(name.replace(' ', "-"));
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        match (Kek::from_source(&KekSource::File(path)), refused) {
            (Ok(kek), None) => assert_eq!(kek.check(), expected, "{name}"),
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
            (Ok(_), Some(_)) => panic!("{name}: accepted"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
    let missing = Kek::from_file(&directory.path().join("none"))
        .err()
        .map(|e| e.to_string());
    assert!(missing.is_some_and(|text| text.contains("none")));
}

#[test]
fn generated_kek_file_is_private_and_not_overwritten() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("kek");
    let kek = Kek::generate_file(&path, &SystemRandom).expect("generated");
    assert_eq!(
        std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(Kek::from_file(&path).expect("reads").check(), kek.check());
    let again = Kek::generate_file(&path, &SystemRandom);
    assert!(matches!(
        again.err(),
        Some(KeysetError::Kek(KekError::File { .. }))
    ));
}

#[test]
fn kek_from_the_environment() {
    let name = "PORTREEVE_KEYSET_TEST_UNSET";
    assert!(matches!(
        Kek::from_env(name).err(),
        Some(KeysetError::Kek(KekError::NotSet(_)))
    ));
    // PATH is set wherever tests run, and is not a key.
    let error = Kek::from_env("PATH")
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(error.contains("environment variable PATH"), "{error}");
}
