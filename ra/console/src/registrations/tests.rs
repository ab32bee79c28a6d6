use super::*;

#[test]
fn bodies_that_cannot_be_read() {
    let good = RegistrationBody {
        name: "web".into(),
        names: vec![".example.com".into(), "192.0.2.1".into(), "*.example.net".into()],
        ..RegistrationBody::default()
    };
    assert_eq!(read(&good).unwrap().names.words().unwrap(), good.names);
    let rows = [
        (
            "both",
            RegistrationBody {
                any_name: true,
                ..good.clone()
            },
            "any_name",
        ),
        (
            "a name",
            RegistrationBody {
                names: vec!["a b".into()],
                ..good.clone()
            },
            "names:",
        ),
        (
            "a profile",
            RegistrationBody {
                profiles: vec!["a/b".into()],
                ..good.clone()
            },
            "profiles:",
        ),
        (
            "an endpoint",
            RegistrationBody {
                endpoints: vec!["".into()],
                ..good.clone()
            },
            "endpoints:",
        ),
        (
            "a team",
            RegistrationBody {
                team: Some("a b".into()),
                ..good.clone()
            },
            "team:",
        ),
        (
            "an owner",
            RegistrationBody {
                owner: Some("alice".into()),
                ..good.clone()
            },
            "owner:",
        ),
        (
            "a word",
            RegistrationBody {
                over_limit: Some("drop".into()),
                ..good
            },
            "over_limit:",
        ),
    ];
    for (case, body, part) in rows {
        let problem = read(&body).unwrap_err().to_string();
        assert!(problem.contains(part), "{case}: {problem}");
    }
    assert!(serde_json::from_str::<RegistrationBody>("{\"name\": \"a\", \"colour\": 1}").is_err());
}
