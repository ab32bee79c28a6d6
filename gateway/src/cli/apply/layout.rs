//! Where the texts of objects lie in a directory.

use std::path::Path;

use portreeve_ra::ObjectKind;
use portreeve_ra::configuration::GUARD;

use super::super::CliError;

/// A kind of object and the place of its texts below the directory.
#[derive(Copy, Clone, Debug)]
pub(in crate::cli) struct Place {
    pub(in crate::cli) kind: ObjectKind,
    pub(in crate::cli) directory: &'static str,
    levels: u8,
}

const fn place(kind: ObjectKind, directory: &'static str, levels: u8) -> Place {
    Place {
        kind,
        directory,
        levels,
    }
}

/// Every place, in an order in which each kind comes after those it names.
pub(in crate::cli) const PLACES: [Place; 7] = [
    place(ObjectKind::ApprovalPolicy, "approval-policies", 1),
    place(ObjectKind::Role, "roles", 1),
    place(ObjectKind::Team, "teams", 1),
    place(ObjectKind::Operator, "operators", 1),
    place(ObjectKind::TrustAnchors, "trust-anchors", 1),
    place(ObjectKind::Profile, "profiles", 1),
    place(ObjectKind::Endpoint, "endpoints", 2),
];

/// What lies in the directory at one place.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// Whether the place is there, with or without texts.
    pub(super) there: bool,
    /// Name and text of each.
    pub(super) texts: Vec<(String, String)>,
}

/// What lies in a directory.
pub(super) fn read(directory: &Path) -> Result<Vec<Found>, CliError> {
    let mut all = Vec::with_capacity(PLACES.len());
    for place in PLACES {
        let below = directory.join(place.directory);
        all.push(Found {
            place,
            there: below.is_dir(),
            texts: texts(&below, place.levels)?,
        });
    }
    if all.iter().any(|found| found.there) {
        return Ok(all);
    }
    let known: Vec<&str> = PLACES.iter().map(|place| place.directory).collect();
    Err(CliError::Usage(format!(
        "{} holds none of {}",
        directory.display(),
        known.join(", ")
    )))
}

/// What is to be put in force, in order. From the policy on that guards configuration people must agree to everything new,
/// and it asks for people who have to be there: it comes last.
pub(super) fn in_order(found: &[Found]) -> Vec<Found> {
    let mut ordered = Vec::with_capacity(found.len());
    let mut last = None;
    for one in found {
        let guards = |name: &str| one.place.kind == ObjectKind::ApprovalPolicy && name == GUARD;
        let (guard, texts): (Vec<_>, Vec<_>) = one.texts.iter().cloned().partition(|(name, _)| guards(name));
        let with = |texts| Found {
            place: one.place,
            there: one.there,
            texts,
        };
        last = last.or_else(|| (!guard.is_empty()).then(|| with(guard)));
        ordered.extend((!texts.is_empty()).then(|| with(texts)));
    }
    ordered.extend(last);
    ordered
}

/// Name and text of every `.toml` file so many levels below the directory, by name. An absent directory has none.
fn texts(directory: &Path, levels: u8) -> Result<Vec<(String, String)>, CliError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(CliError::File {
                path: directory.to_owned(),
                source,
            });
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(CliError::file(directory))?.path();
        let Some(stem) = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned) else {
            continue;
        };
        if levels > 1 && path.is_dir() {
            let below = texts(&path, levels - 1)?;
            found.extend(
                below
                    .into_iter()
                    .map(|(name, text)| (format!("{stem}/{name}"), text)),
            );
        } else if levels == 1 && path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(CliError::file(&path))?;
            found.push((stem, text));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x = 1\n").unwrap();
        };
        for path in [
            "profiles/b.toml",
            "profiles/a.toml",
            "profiles/README.md",
            "endpoints/acme/default.toml",
        ] {
            write(path);
        }
        let found = read(directory.path()).unwrap();
        let names = |kind| {
            let found = found.iter().find(|found| found.place.kind == kind).unwrap();
            let names = found.texts.iter().map(|(name, _)| name.as_str());
            (found.there, names.collect::<Vec<_>>())
        };
        assert_eq!(names(ObjectKind::Profile), (true, vec!["a", "b"]));
        assert_eq!(names(ObjectKind::Endpoint), (true, vec!["acme/default"]));
        assert_eq!(names(ObjectKind::Role), (false, vec![]));
        let empty = tempfile::tempdir().unwrap();
        assert!(read(empty.path()).is_err());
        for path in [
            "approval-policies/configuration.toml",
            "approval-policies/one.toml",
            "roles/r.toml",
        ] {
            write(path);
        }
        let found = super::read(directory.path()).unwrap();
        let ordered = in_order(&found);
        let first = ordered.first().map(|one| one.texts[0].0.as_str());
        let last = ordered.last().map(|one| one.texts[0].0.as_str());
        assert_eq!((first, last), (Some("one"), Some("configuration")));
    }
}
