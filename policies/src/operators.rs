//! Roles, teams and operators: their text forms.

use std::collections::BTreeSet;

use portreeve_pkix::DistinguishedName;
use portreeve_ra::{
    BackendName, CertificateMatch, Operator, OperatorName, OperatorRole, ProfileName, Reach, Right, RoleName,
    Team, TeamName, TeamReach,
};
use serde::Deserialize;

/// Most CAs or profiles of a role, teams of an operator.
const NAMES_MAX: usize = 64;
/// Most roles of an operator.
const ROLES_MAX: usize = 16;
/// Most certificates of an operator.
const CERTIFICATES_MAX: usize = 16;
/// Most characters of a title.
const TITLE_MAX: usize = 128;
/// Most characters of a description.
const DESCRIPTION_MAX: usize = 1024;
/// What stands for all there are.
const ALL: &str = "*";

/// Why a text is not a role, team or operator.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperatorTextError {
    /// Not TOML, an unknown key, a missing one or a value of another kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] portreeve_ra::BadName),
    /// A word of `rights` is no right.
    #[error("rights: {0}")]
    Right(#[from] portreeve_ra::UnknownRight),
    /// More entries than there may be, or one twice.
    #[error("{0}: too many, or one twice")]
    Count(&'static str),
    /// `"*"` beside names.
    #[error("{0}: \"*\" stands alone")]
    AllAndSome(&'static str),
    /// Too long, or control characters.
    #[error("{0}: too long, or more than one line")]
    Text(&'static str),
    /// The role that every installation has.
    #[error("the role superadmin has every right and takes no text")]
    BuiltIn,
    /// Not a certificate.
    #[error(
        "certificates: each has either spki (64 hexadecimal digits: SHA-256 of the key) or issuer and subject (RFC 4514)"
    )]
    Certificate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRole {
    rights: Vec<String>,
    #[serde(default)]
    backends: Vec<String>,
    #[serde(default)]
    profiles: Vec<String>,
    #[serde(default)]
    teams: WrittenTeams,
    #[serde(default)]
    description: String,
}

#[derive(Copy, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenTeams {
    All,
    #[default]
    Own,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTeam {
    title: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOperator {
    #[serde(default)]
    title: String,
    #[serde(default)]
    roles: Vec<RoleName>,
    #[serde(default)]
    teams: Vec<TeamName>,
    #[serde(default)]
    certificates: Vec<WrittenCertificate>,
    #[serde(default)]
    disabled: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCertificate {
    spki: Option<String>,
    issuer: Option<DistinguishedName>,
    subject: Option<DistinguishedName>,
}

/// Reads the role with this name.
///
/// Keys: `rights` (words of [`Right`], or `["*"]`), `backends` and `profiles` (names, or `["*"]`; absent: none),
/// `teams` (`"own"`, the default, or `"all"`), `description`.
pub fn parse_role(name: &str, text: &str) -> Result<OperatorRole, OperatorTextError> {
    let name = RoleName::new(name)?;
    if name == RoleName::superadmin() {
        return Err(OperatorTextError::BuiltIn);
    }
    let written: WrittenRole = toml::from_str(text)?;
    described(&written.description, DESCRIPTION_MAX, "description")?;
    Ok(OperatorRole {
        name,
        rights: rights(&written.rights)?,
        backends: reach(&written.backends, "backends", BackendName::new)?,
        profiles: reach(&written.profiles, "profiles", ProfileName::new)?,
        teams: match written.teams {
            WrittenTeams::All => TeamReach::All,
            WrittenTeams::Own => TeamReach::Own,
        },
    })
}

/// Reads the team with this name. Keys: `title`, `description`.
pub fn parse_team(name: &str, text: &str) -> Result<Team, OperatorTextError> {
    let name = TeamName::new(name)?;
    let written: WrittenTeam = toml::from_str(text)?;
    Ok(Team {
        name,
        title: described(&written.title, TITLE_MAX, "title")?,
        description: described(&written.description, DESCRIPTION_MAX, "description")?,
    })
}

/// Reads the operator with this name.
///
/// Keys: `title`, `roles`, `teams`, `certificates` (each `{ spki }` or `{ issuer, subject }`), `disabled`. All may be
/// absent: such an operator may do nothing.
pub fn parse_operator(name: &str, text: &str) -> Result<Operator, OperatorTextError> {
    let name = OperatorName::new(name)?;
    let written: WrittenOperator = toml::from_str(text)?;
    if written.certificates.len() > CERTIFICATES_MAX {
        return Err(OperatorTextError::Count("certificates"));
    }
    let certificates = written.certificates.into_iter().map(certificate);
    Ok(Operator {
        name,
        title: described(&written.title, TITLE_MAX, "title")?,
        roles: distinct(written.roles, ROLES_MAX, "roles")?,
        teams: distinct(written.teams, NAMES_MAX, "teams")?,
        certificates: certificates.collect::<Result<_, _>>()?,
        disabled: written.disabled,
    })
}

fn rights(words: &[String]) -> Result<BTreeSet<Right>, OperatorTextError> {
    if words.iter().any(|word| word == ALL) {
        return match words.len() {
            1 => Ok(Right::ALL.iter().copied().collect()),
            _ => Err(OperatorTextError::AllAndSome("rights")),
        };
    }
    let read = words.iter().take(NAMES_MAX + 1).map(|word| word.parse());
    distinct(read.collect::<Result<Vec<Right>, _>>()?, NAMES_MAX, "rights")
}

fn reach<T: Ord, E>(
    words: &[String],
    key: &'static str,
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Reach<T>, OperatorTextError>
where
    OperatorTextError: From<E>,
{
    if words.iter().any(|word| word == ALL) {
        return match words.len() {
            1 => Ok(Reach::All),
            _ => Err(OperatorTextError::AllAndSome(key)),
        };
    }
    let names = words.iter().take(NAMES_MAX + 1).map(|word| read(word));
    Ok(Reach::Only(distinct(
        names.collect::<Result<Vec<_>, _>>()?,
        NAMES_MAX,
        key,
    )?))
}

fn distinct<T: Ord>(all: Vec<T>, max: usize, key: &'static str) -> Result<BTreeSet<T>, OperatorTextError> {
    let count = all.len();
    let set: BTreeSet<T> = all.into_iter().collect();
    if count > max || set.len() != count {
        return Err(OperatorTextError::Count(key));
    }
    Ok(set)
}

fn described(text: &str, max: usize, key: &'static str) -> Result<String, OperatorTextError> {
    if text.chars().count() > max || text.chars().any(char::is_control) {
        return Err(OperatorTextError::Text(key));
    }
    Ok(text.to_owned())
}

fn certificate(written: WrittenCertificate) -> Result<CertificateMatch, OperatorTextError> {
    match (written.spki, written.issuer, written.subject) {
        (Some(text), None, None) => {
            let mut key = [0; 32];
            hex::decode_to_slice(text, &mut key).map_err(|_| OperatorTextError::Certificate)?;
            Ok(CertificateMatch::Spki(key))
        }
        (None, Some(issuer), Some(subject)) if !issuer.is_empty() && !subject.is_empty() => {
            Ok(CertificateMatch::names(&issuer, &subject))
        }
        _ => Err(OperatorTextError::Certificate),
    }
}

#[cfg(test)]
mod tests;
