use std::collections::BTreeSet;

use super::*;
use portreeve_ra::{Role, Roles};

const EXAMPLE: &str = include_str!("../../portreeve.example.toml");

fn load(text: &str, overrides: &[&str]) -> Result<Config, ConfigError> {
    let overrides: Vec<Override> = overrides.iter().map(|text| text.parse().unwrap()).collect();
    Config::from_toml(text, "test.toml", &overrides)
}

/// Every key of a table with its tables, dotted.
fn keys(value: &toml::Value, prefix: &str, found: &mut BTreeSet<String>) {
    if let toml::Value::Table(table) = value {
        for (key, below) in table {
            let path = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            found.insert(path.clone());
            keys(below, &path, found);
        }
    }
}

#[test]
fn the_example_loads_and_can_be_served() {
    let config = load(EXAMPLE, &[]).unwrap();
    config.server.check_serving(Roles::ALL).unwrap();
    assert_eq!(config.server.limits, LimitsSection::default());
    assert_eq!(config.telemetry, TelemetrySection::default());
    assert_eq!(config.database, DatabaseSection::default());
    assert_eq!(config.redis, RedisSection::default());
    assert_eq!(config.keyset, KeysetSection::default());
    assert_eq!(config.signer["soft"], SignerSection::default());
    assert_eq!(config.backend["issuing"], BackendSection::default());
    assert_eq!(config.status, portreeve_status::StatusConfig::default());
    assert_eq!(
        config.acme.validation,
        portreeve_validation::ValidationConfig::default()
    );
}

#[test]
fn the_configuration_of_the_containers_loads_and_can_be_served() {
    let text = include_str!("../../../deploy/container/portreeve.toml");
    let config = Config::from_toml(text, "deploy/container/portreeve.toml", &[]).unwrap();
    config.server.check_serving(Roles::ALL).unwrap();
    assert_eq!(config.keyset.keks.len(), 6, "every purpose has a key of its own");
}

#[test]
fn the_example_documents_every_key() {
    let config = load(EXAMPLE, &[]).unwrap();
    let mut written = BTreeSet::new();
    keys(&toml::Value::try_from(&config).unwrap(), "", &mut written);
    // They are of CAs whose keys are here.
    written.retain(|key| !matches!(key.as_str(), "backend.upstream.ca" | "backend.upstream.signer"));
    let mut documented = BTreeSet::new();
    keys(
        &toml::Value::Table(toml::from_str(EXAMPLE).unwrap()),
        "",
        &mut documented,
    );
    assert_eq!(written, documented);
}

#[test]
fn the_schema_has_every_key() {
    let schema = Config::schema();
    let config = load(EXAMPLE, &[]).unwrap();
    let text = schema.to_string();
    let mut written = BTreeSet::new();
    keys(&toml::Value::try_from(&config).unwrap(), "", &mut written);
    let given = [
        "public",
        "http",
        "admin",
        "management",
        "soft",
        "issuing",
        "upstream",
    ];
    for path in written {
        let leaf = path.rsplit('.').next().unwrap();
        assert!(
            given.contains(&leaf) || text.contains(&format!("\"{leaf}\":")),
            "{path} is not in the schema"
        );
    }
    assert_eq!(schema["additionalProperties"], serde_json::Value::Bool(false));
}

#[test]
fn what_is_written_is_read_again() {
    let config = load(EXAMPLE, &[]).unwrap();
    assert_eq!(load(&toml::to_string(&config).unwrap(), &[]).unwrap(), config);
}

#[test]
fn overrides_win_over_the_file() {
    let config = load(
        EXAMPLE,
        &[
            "telemetry.log_format=pretty",
            "server.limits.idle_timeout=5s",
            "keyset.kek={ env = \"KEK\" }",
        ],
    )
    .unwrap();
    assert_eq!(config.telemetry.log_format, LogFormat::Pretty);
    assert_eq!(config.server.limits.idle_timeout, Span::seconds(5));
    // A table is replaced as a whole, so the file of the example is gone.
    assert_eq!(config.keyset.kek, SecretSource::Env("KEK".to_owned()));
}

#[test]
fn mistakes_are_named() {
    let listener = "[server.listeners.a]\naddr = \"127.0.0.1:1\"\n";
    let rows = [
        ("unknown section", "[sever]\n", "sever"),
        (
            "unknown key",
            "[server]\nexternal_ur = \"https://a.test\"\n",
            "external_ur",
        ),
        (
            "unknown key of another crate",
            "[acme]\nnonce_life = \"1h\"\n",
            "nonce_life",
        ),
        (
            "unknown key below it",
            "[acme.validation]\nhttp_prot = 1\n",
            "http_prot",
        ),
        (
            "not a duration",
            "[server.limits]\nidle_timeout = \"5 minutes\"\n",
            "5 minutes",
        ),
        (
            "a duration without bounds",
            "[server.limits]\nidle_timeout = \"9d\"\n",
            "idle_timeout",
        ),
        (
            "a path in the URL",
            "[server]\nexternal_url = \"https://a.test/x\"\n",
            "external_url",
        ),
        (
            "plain external URL",
            "[server]\nexternal_url = \"http://a.test\"\n",
            "https://",
        ),
        (
            "TLS for status",
            "[server]\nstatus_url = \"https://a.test\"\n",
            "http://",
        ),
        (
            "ACME without TLS",
            &format!("{listener}tls = false\nmounts = [\"acme\"]\n"),
            "acme needs tls",
        ),
        (
            "nothing mounted",
            &format!("{listener}mounts = []\n"),
            "mounts nothing",
        ),
        (
            "unknown mount",
            &format!("{listener}mounts = [\"scep\"]\n"),
            "scep",
        ),
        (
            "EST without TLS",
            &format!("{listener}tls = false\nmounts = [\"est\"]\n"),
            "est needs tls",
        ),
        (
            "the extended master secret without TLS",
            &format!("{listener}tls = false\nrequire_ems = true\nmounts = [\"status\"]\n"),
            "require_ems needs tls",
        ),
        (
            "no room for a request",
            "[est]\nbody_bytes_max = 1\n",
            "est.body_bytes_max",
        ),
        (
            "another database",
            "[database]\nurl = \"mysql://x\"\n",
            "postgres://",
        ),
        (
            "an unknown parameter of the database",
            "[database]\nurl = \"postgres://u:p@h/db?fallback=1\"\n",
            "unknown parameter fallback",
        ),
        (
            "no connections",
            "[database]\nconnections_max = 0\n",
            "connections_max",
        ),
        ("no such signer", "[backend.a]\nsigner = \"hsm\"\n", "signer.hsm"),
        ("a secret in the file", "[keyset]\nkek = \"AAAA\"\n", "kek"),
        (
            "a bad filter",
            "[telemetry]\nlog_filter = \"a=b=c\"\n",
            "log_filter",
        ),
        ("not TOML", "[server\n", "test.toml"),
    ];
    for (name, text, mentioned) in rows {
        let error = load(text, &[]).expect_err(name).to_string();
        assert!(error.contains(mentioned), "{name}: {error}");
    }
    let error = load("", &["server.limits.idle=1s"]).unwrap_err().to_string();
    assert!(
        error.contains("idle") && error.contains("--set server.limits.idle"),
        "{error}"
    );
}

#[test]
fn the_url_of_the_database_is_shown_without_its_password() {
    let directory = tempfile::tempdir().unwrap();
    let text = "postgres://u:s3cret@db.example.com/portreeve";
    std::fs::write(directory.path().join("url"), format!("{text}\n")).unwrap();
    let rows = [
        ("in the file", format!("[database]\nurl = \"{text}\"\n")),
        ("elsewhere", "[database]\nurl = { file = \"url\" }\n".to_owned()),
    ];
    for (name, toml) in rows {
        let config = load(&toml, &[]).unwrap();
        let url = config.database.store(directory.path()).unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://u@db.example.com:5432/portreeve",
            "{name}"
        );
        let shown = format!("{config:?} {} {url:?}", toml::to_string(&config).unwrap());
        assert!(!shown.contains("s3cret"), "{name}: {shown}");
    }
    for url in ["postgres://u:s3cret@h/db?x=1", "mysql://u:s3cret@h/db"] {
        let error = load(&format!("[database]\nurl = \"{url}\"\n"), &[]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
    }
}

#[test]
fn only_edges_listen_where_clients_of_acme_come() {
    let of = |roles: &[Role]| {
        let mut server = load(EXAMPLE, &[]).unwrap().server;
        server.keep_listeners_of(roles.iter().copied().collect());
        server.listeners.into_keys().collect::<Vec<_>>().join(" ")
    };
    let rows: [(&[Role], &str); 6] = [
        (&[Role::Edge], "management public"),
        (&[Role::Worker], "management"),
        (&[Role::Console], "admin management"),
        (&[Role::Console, Role::Worker], "admin management"),
        (&[Role::Status, Role::Worker], "http management"),
        (&[Role::Edge, Role::Status], "http management public"),
    ];
    for (roles, expected) in rows {
        assert_eq!(of(roles), expected, "{roles:?}");
    }
}
