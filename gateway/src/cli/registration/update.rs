//! `portreeve registration update`: changes what is given, and leaves the rest as it is.

use clap::Args;
use portreeve_console::{RegistrationBody, RegistrationView};

use super::super::waiting::done;
use super::super::{CliError, Exit, Output};
use super::{Over, path, show, time};
use crate::control::{ControlClient, OnlyIf};

/// What is to be otherwise.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Its name or id.
    registration: String,
    /// The names it may be certified for, in place of those it has: DNS names, IP addresses, or .example.com for all names
    /// below it.
    #[arg(long = "allow", value_name = "NAME")]
    allow: Vec<String>,
    /// Any name that the profile allows, in place of a list.
    #[arg(long, conflicts_with = "allow")]
    any_name: bool,
    /// Whether wildcard names lie below a listed domain as well.
    #[arg(long, value_name = "BOOL")]
    wildcards: Option<bool>,
    /// Whether control over the listed names is taken as shown: no challenge is asked for.
    #[arg(long, value_name = "BOOL")]
    vouched: Option<bool>,
    /// The profiles it may use, in place of those it has.
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
    /// It may use all profiles of the endpoint.
    #[arg(long, conflicts_with = "profiles")]
    all_profiles: bool,
    /// The endpoints it may use, such as acme/default, in place of those it has.
    #[arg(long = "endpoint", value_name = "NAME")]
    endpoints: Vec<String>,
    /// It may use all endpoints.
    #[arg(long, conflicts_with = "endpoints")]
    all_endpoints: bool,
    /// The team that owns it.
    #[arg(long)]
    team: Option<String>,
    /// No team owns it.
    #[arg(long, conflicts_with = "team")]
    no_team: bool,
    /// On whose behalf it asks: operator:NAME.
    #[arg(long)]
    owner: Option<String>,
    /// It asks on nobody's behalf.
    #[arg(long, conflicts_with = "owner")]
    no_owner: bool,
    /// Certificates it may have at once.
    #[arg(long, value_name = "COUNT")]
    certificates_max: Option<u32>,
    /// It may have any number of certificates.
    #[arg(long, conflicts_with = "certificates_max")]
    no_certificates_max: bool,
    /// What happens over that limit.
    #[arg(long, value_enum)]
    over_limit: Option<Over>,
    /// After this nothing is issued for it: a time, or a duration from now such as 90d.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// It has no end.
    #[arg(long, conflicts_with = "until")]
    no_until: bool,
    /// Only while it has this version, such as one that you looked at. Without it: as it is now.
    #[arg(long, value_name = "NUMBER")]
    only_if: Option<u32>,
    /// Why; it goes into the audit log.
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn run(
    client: &ControlClient,
    arguments: Arguments,
    output: Output,
) -> Result<Exit, CliError> {
    let path = path(&arguments.registration);
    let before: RegistrationView = client.read(&path).await?;
    let version = OnlyIf(arguments.only_if.unwrap_or(before.version));
    let body = changed(before, arguments)?;
    if let Some(found) = done(client.ask_to_put(&path, (&body, Some(version))).await?, output)? {
        show(&found, output)?;
    }
    Ok(Exit::Fine)
}

/// As it is, with what was given in the place of what there was.
fn changed(before: RegistrationView, given: Arguments) -> Result<RegistrationBody, CliError> {
    let named = !given.allow.is_empty();
    Ok(RegistrationBody {
        name: before.name,
        names: match (named, given.any_name) {
            (true, _) => given.allow,
            (false, true) => Vec::new(),
            (false, false) => before.names,
        },
        any_name: !named && (given.any_name || before.any_name),
        wildcards: given.wildcards.unwrap_or(before.wildcards),
        vouched: given.vouched.unwrap_or(before.vouched),
        profiles: replaced(given.profiles, before.profiles, given.all_profiles),
        endpoints: replaced(given.endpoints, before.endpoints, given.all_endpoints),
        team: one(given.team, before.team, given.no_team),
        owner: one(given.owner, before.owner, given.no_owner),
        certificates_max: one(
            given.certificates_max,
            before.certificates_max,
            given.no_certificates_max,
        ),
        over_limit: Some(
            given
                .over_limit
                .map_or(before.over_limit, |over| over.as_str().to_owned()),
        ),
        until: one(
            given.until.as_deref().map(time).transpose()?,
            before.until,
            given.no_until,
        ),
        reason: given.reason,
    })
}

fn replaced(given: Vec<String>, before: Vec<String>, all: bool) -> Vec<String> {
    match (given.is_empty(), all) {
        (false, _) => given,
        (true, true) => Vec::new(),
        (true, false) => before,
    }
}

fn one<T>(given: Option<T>, before: Option<T>, none: bool) -> Option<T> {
    match none {
        true => None,
        false => given.or(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use portreeve_pkix::Timestamp;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parsed(words: &[&str]) -> Result<Arguments, clap::Error> {
        let program = Program::try_parse_from(["update", "web"].iter().chain(words))?;
        Ok(program.arguments)
    }

    fn before() -> RegistrationView {
        RegistrationView {
            id: String::new(),
            name: "web".to_owned(),
            state: "active".to_owned(),
            version: 3,
            names: vec!["a.test".to_owned()],
            any_name: false,
            wildcards: true,
            vouched: true,
            profiles: vec!["p".to_owned()],
            endpoints: vec!["acme/e".to_owned()],
            team: Some("t".to_owned()),
            owner: Some("operator:o".to_owned()),
            certificates_max: Some(2),
            over_limit: "revoke-oldest".to_owned(),
            until: Some(Timestamp::from_unix_seconds(2_000_000_000)),
            unconfirmed_authors: Vec::new(),
            created_at: Timestamp::from_unix_seconds(0),
            proposal: None,
        }
    }

    fn same() -> RegistrationBody {
        changed(before(), parsed(&[]).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_given_stays() {
        let expected = RegistrationBody {
            name: "web".to_owned(),
            names: vec!["a.test".to_owned()],
            any_name: false,
            wildcards: true,
            vouched: true,
            profiles: vec!["p".to_owned()],
            endpoints: vec!["acme/e".to_owned()],
            team: Some("t".to_owned()),
            owner: Some("operator:o".to_owned()),
            certificates_max: Some(2),
            over_limit: Some("revoke-oldest".to_owned()),
            until: Some(Timestamp::from_unix_seconds(2_000_000_000)),
            reason: String::new(),
        };
        assert_eq!(same(), expected);
    }

    #[test]
    fn what_is_given_takes_the_place_of_what_there_was() {
        type Edit = fn(&mut RegistrationBody);
        let rows: [(&[&str], Edit); 11] = [
            (&["--allow", "b.test", "--allow", "c.test"], |body| {
                body.names = vec!["b.test".to_owned(), "c.test".to_owned()];
            }),
            (&["--any-name"], |body| {
                (body.names, body.any_name) = (Vec::new(), true);
            }),
            (&["--wildcards", "false", "--vouched", "false"], |body| {
                (body.wildcards, body.vouched) = (false, false);
            }),
            (&["--profile", "q"], |body| body.profiles = vec!["q".to_owned()]),
            (&["--all-profiles", "--all-endpoints"], |body| {
                (body.profiles, body.endpoints) = (Vec::new(), Vec::new());
            }),
            (&["--team", "u"], |body| body.team = Some("u".to_owned())),
            (&["--no-team", "--no-owner"], |body| {
                (body.team, body.owner) = (None, None);
            }),
            (&["--certificates-max", "5"], |body| {
                body.certificates_max = Some(5)
            }),
            (&["--no-certificates-max"], |body| body.certificates_max = None),
            (&["--over-limit", "refuse-new"], |body| {
                body.over_limit = Some("refuse-new".to_owned());
            }),
            (&["--no-until", "--reason", "why"], |body| {
                (body.until, body.reason) = (None, "why".to_owned());
            }),
        ];
        for (words, edit) in rows {
            let mut expected = same();
            edit(&mut expected);
            let found = changed(before(), parsed(words).unwrap()).unwrap();
            assert_eq!(found, expected, "{words:?}");
        }
        let any = RegistrationView {
            any_name: true,
            names: Vec::new(),
            ..before()
        };
        let listed = changed(any, parsed(&["--allow", "b.test"]).unwrap()).unwrap();
        assert!(!listed.any_name, "a list in place of any name");
        for words in [
            ["--any-name", "--allow=b.test"],
            ["--no-team", "--team=t"],
            ["--no-until", "--until=9d"],
        ] {
            assert!(parsed(&words).is_err(), "{words:?}");
        }
    }
}
