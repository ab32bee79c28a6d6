//! Where an edge is found.

/// One path, or everything below one, that an edge serves. The longest match wins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// With a `/` at its end: everything below. Without: this path alone.
    pub prefix: String,
    /// What may stand in front of it.
    pub front: Front,
    /// Whether it is also served without TLS.
    pub plain_http: bool,
}

/// What stands in front of a mount's prefix in the paths that belong to it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Front {
    /// Nothing.
    Nothing,
    /// One segment of the path, which is not empty.
    Segment,
}

impl Mount {
    /// A mount that is served over TLS only.
    pub fn tls_only(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            front: Front::Nothing,
            plain_http: false,
        }
    }

    /// A mount that is served with and without TLS, for content that is public and carries its own signature.
    pub fn any(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            front: Front::Nothing,
            plain_http: true,
        }
    }

    /// The same with one segment in front: `/A/` is then found as `/x/A/`, for any x.
    #[must_use]
    pub fn behind_a_segment(self) -> Self {
        Self {
            front: Front::Segment,
            ..self
        }
    }

    /// Whether this path belongs to the mount.
    pub fn matches(&self, path: &str) -> bool {
        let path = match self.front {
            Front::Nothing => path,
            Front::Segment => {
                let below = path.strip_prefix('/').unwrap_or_default();
                match below.find('/') {
                    None | Some(0) => return false,
                    Some(end) => below.get(end..).unwrap_or_default(),
                }
            }
        };
        if self.prefix.ends_with('/') {
            path.starts_with(&self.prefix)
        } else {
            path == self.prefix
        }
    }

    /// The mount that serves this path: the one with the longest prefix.
    pub fn longest<'a>(mounts: impl IntoIterator<Item = &'a Self>, path: &str) -> Option<&'a Self> {
        mounts
            .into_iter()
            .filter(|mount| mount.matches(path))
            .max_by_key(|mount| mount.prefix.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Mount;

    #[test]
    fn the_longest_match_wins() {
        let mounts = ["/", "/acme/default/", "/acme/default/special", "/crl/"].map(Mount::tls_only);
        let rows = [
            ("below a prefix", "/acme/default/directory", "/acme/default/"),
            ("an exact path", "/acme/default/special", "/acme/default/special"),
            ("exact means exact", "/acme/default/special/x", "/acme/default/"),
            ("a prefix without its slash is not below", "/acme/default", "/"),
            ("another name", "/acme/default2/directory", "/"),
        ];
        for (name, path, expected) in rows {
            let found = Mount::longest(&mounts, path).map(|mount| mount.prefix.as_str());
            assert_eq!(found, Some(expected), "{name}");
        }
        assert_eq!(Mount::longest(&mounts[1..], "/other"), None);
    }

    #[test]
    fn a_segment_may_stand_in_front() {
        let mount = Mount::tls_only("/known/").behind_a_segment();
        let rows = [
            ("one segment", "/a/known/x", true),
            ("encoded, it is one as well", "/a%2fb/known/x", true),
            ("none", "/known/x", false),
            ("an empty one", "//known/x", false),
            ("two", "/a/b/known/x", false),
            ("the mount itself", "/a/known/", true),
            ("without its end", "/a/known", false),
            ("the name alone", "/a", false),
            ("nothing", "", false),
        ];
        for (name, path, expected) in rows {
            assert_eq!(mount.matches(path), expected, "{name}");
        }
    }
}
