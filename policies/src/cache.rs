//! A bounded cache of objects that were read once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use portreeve_ra::ObjectVersion;

/// Which text an entry was read from. The digest makes an altered text of the same version another entry.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    name: String,
    version: u32,
    digest: [u8; 32],
}

impl Key {
    fn of(object: &ObjectVersion) -> Self {
        Self {
            name: object.name.clone(),
            version: object.version,
            digest: object.digest(),
        }
    }
}

/// Compiled objects, the oldest entry leaves first.
pub(crate) struct Cache<T> {
    capacity: usize,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    by_key: HashMap<Key, Arc<T>>,
    order: VecDeque<Key>,
}

impl<T> Cache<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::new(Entries {
                by_key: HashMap::new(),
                order: VecDeque::new(),
            }),
        }
    }

    /// The entry for this text, read with `compile` when it is not there. Failures are not kept.
    pub(crate) fn entry<E>(
        &self,
        object: &ObjectVersion,
        compile: impl FnOnce(&ObjectVersion) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let key = Key::of(object);
        if let Some(found) = self.lock().by_key.get(&key) {
            return Ok(Arc::clone(found));
        }
        // Compiled without the lock: two callers may both do it, and both results are equal.
        let compiled = Arc::new(compile(object)?);
        self.lock().insert(key, Arc::clone(&compiled), self.capacity);
        Ok(compiled)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entries<T> {
    fn insert(&mut self, key: Key, value: Arc<T>, capacity: usize) {
        if self.by_key.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.by_key.len() > capacity {
            let Some(oldest) = self.order.pop_front() else {
                return;
            };
            self.by_key.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::ObjectKind;
    use std::convert::Infallible;

    fn object(version: u32, body: &str) -> ObjectVersion {
        ObjectVersion {
            kind: ObjectKind::Profile,
            name: "a".into(),
            version,
            body: body.into(),
        }
    }

    fn compiled(cache: &Cache<String>, object: &ObjectVersion) -> (Arc<String>, bool) {
        let mut fresh = false;
        let entry = cache.entry(object, |object| {
            fresh = true;
            Ok::<_, Infallible>(object.body.clone())
        });
        (entry.unwrap(), fresh)
    }

    #[test]
    fn compiles_each_text_once() {
        let cache = Cache::new(4);
        assert!(compiled(&cache, &object(1, "x")).1);
        assert!(!compiled(&cache, &object(1, "x")).1);
        let (altered, fresh) = compiled(&cache, &object(1, "y"));
        assert!(
            fresh && *altered == "y",
            "the same version with another text is another entry"
        );
    }

    #[test]
    fn is_bounded_and_forgets_the_oldest() {
        let cache = Cache::new(2);
        for version in 1..=3 {
            compiled(&cache, &object(version, "x"));
        }
        assert_eq!(cache.lock().by_key.len(), 2);
        assert_eq!(cache.lock().order.len(), 2);
        assert!(!compiled(&cache, &object(3, "x")).1);
        assert!(compiled(&cache, &object(1, "x")).1);
    }

    #[test]
    fn failures_are_not_kept() {
        let cache: Cache<String> = Cache::new(2);
        assert_eq!(
            cache.entry(&object(1, "x"), |_| Err("broken")).err(),
            Some("broken")
        );
        assert!(compiled(&cache, &object(1, "x")).1);
    }
}
