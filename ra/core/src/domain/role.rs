//! Roles: what a node does. Nodes are equal within a role, and roles are walls.

use std::fmt;
use std::str::FromStr;

use super::purpose::Purpose;

/// One thing that a node does.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Role {
    /// Terminates protocols, proves identifiers, hands requests over.
    Edge,
    /// Judges, issues, revokes.
    Worker,
    /// Signs and serves certificate status.
    Status,
    /// Lets operators decide and configure.
    Console,
}

/// A word that names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no role {0}; roles are edge, worker, status, console")]
pub struct UnknownRole(pub String);

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Edge, Self::Worker, Self::Status, Self::Console];

    /// The word in options and heartbeats.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Worker => "worker",
            Self::Status => "status",
            Self::Console => "console",
        }
    }

    /// The purpose under which a node with this role speaks.
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::Edge => Purpose::Edge,
            Self::Worker => Purpose::Worker,
            Self::Status => Purpose::Status,
            Self::Console => Purpose::Console,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let known = Self::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| UnknownRole(text.chars().take(64).collect()))
    }
}

/// The roles of a node. One without any does nothing.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Roles(u8);

impl Roles {
    /// All of them: one machine, and `dev`.
    pub const ALL: Self = Self(0b1111);

    /// None.
    pub const NONE: Self = Self(0);

    /// With this role as well.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | 1 << role as u8)
    }

    /// Whether this role is among them.
    pub const fn has(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }

    /// Whether a node with these roles signs with keys of CAs: certificates as a worker, lists as a status node.
    pub const fn sign(self) -> bool {
        self.has(Role::Worker) || self.has(Role::Status)
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    /// The purpose under which a node with these roles says what several roles may say.
    pub fn voice(self) -> Purpose {
        let first = [Role::Worker, Role::Edge, Role::Status, Role::Console]
            .into_iter()
            .find(|role| self.has(*role));
        first.unwrap_or(Role::Worker).purpose()
    }
}

impl Default for Roles {
    /// All of them: a node of which nothing is said is the only one.
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Role::as_str).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_roles() {
        let rows = [
            ("none", Roles::NONE, "", Purpose::Worker),
            ("edge", Roles::NONE.with(Role::Edge), "edge", Purpose::Edge),
            ("all", Roles::ALL, "edge,worker,status,console", Purpose::Worker),
            (
                "twice the same",
                Roles::NONE.with(Role::Console).with(Role::Console),
                "console",
                Purpose::Console,
            ),
            (
                "two",
                [Role::Status, Role::Edge].into_iter().collect(),
                "edge,status",
                Purpose::Edge,
            ),
        ];
        for (name, roles, words, voice) in rows {
            assert_eq!(roles.to_string(), words, "{name}");
            assert_eq!(roles.voice(), voice, "{name}");
            for role in Role::ALL {
                let named = words.split(',').any(|word| word == role.as_str());
                assert_eq!(roles.has(role), named, "{name}: {role}");
            }
        }
    }

    #[test]
    fn words() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("king".parse::<Role>(), Err(UnknownRole("king".to_owned())));
    }
}
