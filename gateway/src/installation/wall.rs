//! The wall around an edge that does not judge: it must not have what opens the keys of those who do.

use portreeve_keyset::{Kek, KekError, KeysetError, WrappedKeyset};
use portreeve_ra::{Purpose, Role, Roles};

use super::purposes_needed;
use crate::config::KekSources;

/// An edge that does not judge has key encryption keys that open more than an edge needs.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "this node is to receive and not to judge (role edge without worker), and the key encryption keys it is given open \
     the keys of {} as well: whoever takes it over could issue. {}",
    words(&self.shared, &self.held), self.advice()
)]
pub struct Breach {
    /// Purposes that are wrapped by the shared key, which every node has.
    shared: Vec<Purpose>,
    /// Purposes with a key of their own, which lies on this machine.
    held: Vec<Purpose>,
}

impl Breach {
    fn advice(&self) -> String {
        let judge = "or give it the role worker too (--roles edge,worker)";
        if self.shared.is_empty() {
            let keys: Vec<String> = self.held.iter().map(|one| format!("keyset.keks.{one}")).collect();
            return format!("Take {} off this machine, {judge}", keys.join(", "));
        }
        format!(
            "Name a key of its own for each purpose under keyset.keks before the installation is made, and give this \
             node keyset.kek and keyset.keks.edge only, {judge}"
        )
    }
}

fn words(shared: &[Purpose], held: &[Purpose]) -> String {
    let all: Vec<String> = shared.iter().chain(held).map(ToString::to_string).collect();
    all.join(", ")
}

/// Looks for keys that an edge that does not judge should not have; other nodes have no wall around them.
///
/// # Errors
/// When the shared key cannot be read.
pub(super) fn examine(
    wrapped: &WrappedKeyset,
    sources: &KekSources,
    roles: Roles,
) -> Result<Option<Breach>, KeysetError> {
    if !roles.has(Role::Edge) || roles.has(Role::Worker) {
        return Ok(None);
    }
    let needed = purposes_needed(roles);
    let beyond = |purpose: &Purpose| !needed.contains(purpose);
    let mut shared = wrapped.purposes_under(&Kek::from_source(&sources.shared)?);
    shared.retain(beyond);
    let mut held = Vec::new();
    for source in sources.own.values() {
        let under = match Kek::from_source(source) {
            Ok(kek) => wrapped.purposes_under(&kek),
            Err(KeysetError::Kek(KekError::Exposed { .. })) => {
                let same = sources.own.iter().filter(|(_, other)| *other == source);
                same.map(|(purpose, _)| *purpose).collect()
            }
            // As it should be.
            Err(_) => continue,
        };
        let new = under.into_iter().filter(beyond);
        held.extend(new.filter(|purpose| !shared.contains(purpose)));
    }
    held.sort();
    held.dedup();
    let is_whole = shared.is_empty() && held.is_empty();
    Ok((!is_whole).then_some(Breach { shared, held }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use portreeve_keyset::{KekSet, KekSource};
    use portreeve_queue::SystemRandom;

    use super::*;

    /// Key encryption keys in files, those of single purposes by their words.
    fn sources(folder: &Path, own: &[Purpose]) -> KekSources {
        let own = own
            .iter()
            .map(|purpose| (*purpose, KekSource::File(folder.join(purpose.to_string()))));
        KekSources {
            shared: KekSource::File(folder.join("kek")),
            own: own.collect(),
        }
    }

    /// A keyset under these keys, which are made.
    fn keyset(sources: &KekSources) -> WrappedKeyset {
        let made = |source: &KekSource| match source {
            KekSource::File(path) => Kek::generate_file(path, &SystemRandom).unwrap(),
            KekSource::Environment(name) => panic!("{name}"),
        };
        let own = sources
            .own
            .iter()
            .map(|(purpose, source)| (*purpose, made(source)));
        let own: BTreeMap<Purpose, Kek> = own.collect();
        let keks = own
            .into_iter()
            .fold(KekSet::shared(made(&sources.shared)), |keks, (purpose, kek)| {
                keks.with(purpose, kek)
            });
        WrappedKeyset::generate(&keks, &SystemRandom).unwrap()
    }

    #[test]
    fn the_shared_key_of_the_whole_keyset_is_no_key_for_an_edge() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(folder.path(), &[]);
        let wrapped = keyset(&sources);
        let roles = |words: &[Role]| words.iter().copied().collect::<Roles>();
        let rows = [
            (roles(&[Role::Edge]), true),
            (roles(&[Role::Edge, Role::Status]), true),
            (roles(&[Role::Edge, Role::Worker]), false),
            (roles(&[Role::Worker]), false),
            (Roles::ALL, false),
        ];
        for (roles, found) in rows {
            let breach = examine(&wrapped, &sources, roles).unwrap();
            assert_eq!(breach.is_some(), found, "{roles}");
        }
        let said = examine(&wrapped, &sources, roles(&[Role::Edge]))
            .unwrap()
            .unwrap()
            .to_string();
        for word in ["worker", "ca", "keyset.keks", "--roles edge,worker"] {
            assert!(said.contains(word), "{word}: {said}");
        }
    }

    #[test]
    fn keys_of_other_roles_are_not_left_on_the_machine_of_an_edge() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(folder.path(), &Purpose::ALL);
        let wrapped = keyset(&sources);
        let edge = || examine(&wrapped, &sources, Roles::NONE.with(Role::Edge)).unwrap();
        let path = |purpose: Purpose| folder.path().join(purpose.to_string());
        for purpose in Purpose::ALL {
            if purpose != Purpose::Edge && purpose != Purpose::Worker {
                std::fs::remove_file(path(purpose)).unwrap();
            }
        }
        let said = edge().unwrap().to_string();
        assert!(
            said.contains("keyset.keks.worker") && !said.contains("keyset.keks.ca"),
            "{said}"
        );
        std::fs::set_permissions(path(Purpose::Worker), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(edge().is_some(), "who may not use it may still read it");
        std::fs::remove_file(path(Purpose::Worker)).unwrap();
        assert_eq!(edge(), None);
    }
}
