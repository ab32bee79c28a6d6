use super::*;

#[test]
fn absent_keys_of_a_role_refuse() {
    let role = parse_role("reader", "rights = [\"request.read\"]").unwrap();
    assert_eq!(role.rights, BTreeSet::from([Right::RequestRead]));
    assert_eq!(role.backends, Reach::Only(BTreeSet::new()));
    assert_eq!(role.profiles, Reach::Only(BTreeSet::new()));
    assert_eq!(role.teams, TeamReach::Own);
}

#[test]
fn reads_every_key_of_a_role() {
    let text = "rights = [\"*\"]\nbackends = [\"*\"]\nprofiles = [\"a\", \"b\"]\nteams = \"all\"\ndescription = \"x\"";
    let role = parse_role("r", text).unwrap();
    assert_eq!(role.rights.len(), Right::ALL.len());
    assert_eq!(role.backends, Reach::All);
    let names = ["a", "b"].map(|name| ProfileName::new(name).unwrap());
    assert_eq!(role.profiles, Reach::Only(BTreeSet::from(names)));
    assert_eq!(role.teams, TeamReach::All);
}

#[test]
fn refuses_roles() {
    let rows = [
        ("unknown key", "r", "rights = []\ncolour = 1", "unknown field"),
        ("no rights", "r", "", "missing field"),
        (
            "unknown right",
            "r",
            "rights = [\"everything\"]",
            "no right everything",
        ),
        (
            "all and some",
            "r",
            "rights = [\"*\", \"audit.read\"]",
            "stands alone",
        ),
        ("twice", "r", "rights = [\"audit.read\", \"audit.read\"]", "twice"),
        (
            "all and some CAs",
            "r",
            "rights = []\nbackends = [\"a\", \"*\"]",
            "stands alone",
        ),
        (
            "name of a CA",
            "r",
            "rights = []\nbackends = [\"a b\"]",
            "backend name",
        ),
        ("teams", "r", "rights = []\nteams = \"some\"", "unknown variant"),
        ("built in", "superadmin", "rights = []", "superadmin"),
        ("name", "a b", "rights = []", "role name"),
    ];
    for (row, name, text, reason) in rows {
        let error = parse_role(name, text).expect_err(row).to_string();
        assert!(error.contains(reason), "{row}: {error}");
    }
}

#[test]
fn reads_operators() {
    let nobody = parse_operator("a@b.c", "").unwrap();
    assert!(nobody.roles.is_empty() && !nobody.disabled && !nobody.is_superadmin());
    let text = format!(
        "title = \"Alice\"\nroles = [\"superadmin\"]\nteams = [\"net\"]\ndisabled = true\n\
         certificates = [{{ spki = \"{}\" }}, {{ issuer = \"cn=Management  CA\", subject = \"CN=Alice,O=B\" }}]",
        "0A".repeat(32)
    );
    let alice = parse_operator("alice", &text).unwrap();
    assert!(!alice.is_superadmin(), "disabled");
    let name = |text: &str| text.parse::<DistinguishedName>().unwrap();
    assert_eq!(
        alice.certificates,
        [
            CertificateMatch::Spki([10; 32]),
            CertificateMatch::names(&name("CN=MANAGEMENT CA"), &name("cn=alice, o=b"))
        ]
    );
}

#[test]
fn refuses_operators_and_teams() {
    let rows = [
        ("unknown key", "password = \"x\"", "unknown field"),
        ("role", "roles = [\"a b\"]", "role name"),
        ("twice", "roles = [\"a\", \"a\"]", "twice"),
        (
            "key that is none",
            "certificates = [{ spki = \"00\" }]",
            "certificates",
        ),
        (
            "issuer alone",
            "certificates = [{ issuer = \"CN=a\" }]",
            "certificates",
        ),
        (
            "empty issuer",
            "certificates = [{ issuer = \"\", subject = \"CN=a\" }]",
            "certificates",
        ),
        (
            "both",
            "certificates = [{ spki = \"00\", issuer = \"CN=a\", subject = \"CN=b\" }]",
            "certificates",
        ),
        ("title", "title = \"a\\nb\"", "title"),
    ];
    for (row, text, reason) in rows {
        let error = parse_operator("a", text).expect_err(row).to_string();
        assert!(error.contains(reason), "{row}: {error}");
    }
    assert!(parse_team("net", "title = \"Network\"").is_ok());
    for (row, text) in [("no title", ""), ("unknown key", "title = \"a\"\nmembers = []")] {
        assert!(parse_team("net", text).is_err(), "{row}");
    }
}
