//! What is read, what is refused, and what is shown.

use super::*;

fn parsed(text: &str) -> PostgresUrl {
    text.parse().unwrap()
}

#[test]
fn hosts_and_credentials() {
    let rows = [
        ("one host", "postgres://h/db", "postgres://h:5432/db"),
        ("the longer scheme", "postgresql://h/db", "postgres://h:5432/db"),
        (
            "several hosts",
            "postgres://u:p@h1:5432,h2:5433/db",
            "postgres://u@h1:5432,h2:5433/db",
        ),
        (
            "an IPv6 address",
            "postgres://[::1]:5433/db",
            "postgres://[::1]:5433/db",
        ),
        (
            "without a port",
            "postgres://[::1]/db",
            "postgres://[::1]:5432/db",
        ),
        (
            "a socket",
            "postgres:///db?host=/run/postgresql",
            "postgres:///run/postgresql:5432/db",
        ),
        (
            "a socket as host",
            "postgres://%2Frun%2Fpostgresql:5433/db",
            "postgres:///run/postgresql:5433/db",
        ),
        (
            "hosts with one port",
            "postgres:///db?host=a,b&port=5433",
            "postgres://a:5433,b:5433/db",
        ),
        (
            "percent-encoded",
            "postgres://us%40er:p%40ss@h/d%2Fb",
            "postgres://us@er@h:5432/d/b",
        ),
        (
            "TLS",
            "postgres://h/db?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem",
            "postgres://h:5432/db?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem",
        ),
        (
            "session",
            "postgres://h/db?target_session_attrs=read-write&application_name=x",
            "postgres://h:5432/db",
        ),
    ];
    for (name, text, shown) in rows {
        assert_eq!(parsed(text).to_string(), shown, "{name}");
    }
    let url = parsed("postgres://us%40er:p%40s%3As@h/db");
    assert_eq!(
        (url.user.as_deref(), url.password.as_deref()),
        (Some("us@er"), Some("p@s:s"))
    );
}

#[test]
fn what_is_wrong_is_named_and_nothing_secret() {
    let rows = [
        ("another scheme", "mysql://h/db", "begins with postgres://"),
        ("no database", "postgres://h", "name of a database"),
        ("no host", "postgres:///db", "host number 1"),
        ("a word as port", "postgres://h1,h2:secret/db", "host number 2"),
        ("port zero", "postgres://h:0/db", "host number 1"),
        (
            "unknown",
            "postgres://u:secret@h/db?fallback=yes",
            "unknown parameter fallback",
        ),
        (
            "a mode",
            "postgres://u:secret@h/db?sslmode=maybe",
            "sslmode must be",
        ),
        (
            "allow",
            "postgres://u:secret@h/db?sslmode=allow",
            "sslmode must be",
        ),
        (
            "a standby",
            "postgres://h/db?target_session_attrs=standby",
            "target_session_attrs",
        ),
        (
            "half a certificate",
            "postgres://u:secret@h/db?sslcert=c.pem",
            "sslkey",
        ),
        ("an encoding", "postgres://u:secret%4@h/db", "the password is not"),
        ("too many hosts", "postgres://a,b,c,d,e,f,g,h,i/db", "hosts"),
        ("no IPv6 address", "postgres://[secret]/db", "host number 1"),
    ];
    for (name, text, words) in rows {
        let error = text.parse::<PostgresUrl>().expect_err(name);
        assert!(error.to_string().contains(words), "{name}: {error}");
        assert!(
            !format!("{error} {error:?}").contains("secret"),
            "{name}: {error:?}"
        );
    }
    let url = parsed("postgres://u:secret@h/db");
    assert!(!format!("{url} {url:?}").contains("secret"));
}

#[test]
fn other_machines_are_verified_by_default() {
    let rows = [
        ("postgres://h/db", Tls::VerifyFull),
        ("postgres://192.0.2.1/db", Tls::VerifyFull),
        ("postgres://localhost/db", Tls::Prefer),
        ("postgres://127.0.0.5/db", Tls::Prefer),
        ("postgres://[::1]/db", Tls::Prefer),
        ("postgres:///db?host=/run/postgresql", Tls::Prefer),
        ("postgres://h/db?sslmode=disable", Tls::Disable),
        ("postgres://localhost/db?sslmode=verify-full", Tls::VerifyFull),
    ];
    for (text, expected) in rows {
        let url = parsed(text);
        assert!(url.tls(&url.hosts[0]) == expected, "{text}");
    }
    assert_eq!(parsed("postgres://h,localhost/db").unverified_hosts(), [""; 0]);
    assert_eq!(
        parsed("postgres://h,localhost/db?sslmode=require").unverified_hosts(),
        ["h:5432"]
    );
}
