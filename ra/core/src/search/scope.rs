//! The rights of whoever asks, as an expression that is joined to the query.

use std::fmt::Display;

use super::expression::{Expression, Term};
use super::field::Field;
use crate::domain::{OperatorRole, Reach, Right, Standing, TeamReach};

/// What somebody may see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Everything.
    All,
    /// Nothing.
    Nothing,
    /// What this is true of.
    Only(Expression),
}

impl Scope {
    /// What is both asked for and within the scope: `None` when nothing can be, `Some(None)` when all is.
    pub fn with(self, query: Option<Expression>) -> Option<Option<Expression>> {
        match self {
            Self::All => Some(query),
            Self::Nothing => None,
            Self::Only(scope) => Some(Expression::all(std::iter::once(scope).chain(query).collect())),
        }
    }
}

/// Where this right reaches: for each role that gives it the CAs, profiles and teams of the role. The same as
/// [`Standing::may`] says of each row.
pub fn scope(standing: &Standing, right: Right) -> Scope {
    if !standing.may_somewhere(right) {
        return Scope::Nothing;
    }
    let mut parts = Vec::new();
    for role in standing.roles.iter().filter(|role| role.rights.contains(&right)) {
        match of_role(standing, role) {
            Scope::All => return Scope::All,
            Scope::Nothing => {}
            Scope::Only(part) => parts.push(part),
        }
    }
    Expression::any(parts).map_or(Scope::Nothing, Scope::Only)
}

fn of_role(standing: &Standing, role: &OperatorRole) -> Scope {
    let mut limits = Vec::new();
    let teams = match role.teams {
        TeamReach::All => None,
        TeamReach::Own => Some(standing.teams.iter().map(ToString::to_string).collect()),
    };
    let parts = [
        (Field::Backend, words(&role.backends)),
        (Field::Profile, words(&role.profiles)),
        (Field::Team, teams),
    ];
    for (field, words) in parts {
        match words {
            None => {}
            Some(words) if words.is_empty() => return Scope::Nothing,
            Some(words) => limits.push(Expression::Term(Term::one_of(field, words))),
        }
    }
    Expression::all(limits).map_or(Scope::All, Scope::Only)
}

fn words<T: Display>(reach: &Reach<T>) -> Option<Vec<String>> {
    match reach {
        Reach::All => None,
        Reach::Only(some) => Some(some.iter().map(ToString::to_string).collect()),
    }
}
