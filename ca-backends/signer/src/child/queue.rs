//! A bounded queue between threads.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(super) struct Queue<T> {
    items: Mutex<VecDeque<T>>,
    ready: Condvar,
    capacity: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            items: Mutex::default(),
            ready: Condvar::new(),
            capacity,
        }
    }

    /// Adds at the end; a full queue gives the item back.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let mut items = self.lock();
        if items.len() >= self.capacity {
            return Err(item);
        }
        items.push_back(item);
        drop(items);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for an item.
    pub(super) fn pop(&self) -> T {
        let mut items = self.lock();
        loop {
            match items.pop_front() {
                Some(item) => return item,
                None => items = self.ready.wait(items).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Waits for an item and takes what else is there, up to `most`.
    pub(super) fn pop_batch(&self, most: usize) -> Vec<T> {
        let first = self.pop();
        let mut items = self.lock();
        let more = items.len().min(most.saturating_sub(1));
        std::iter::once(first).chain(items.drain(..more)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_and_in_order() {
        let queue = Queue::new(3);
        for item in 1..=3 {
            assert_eq!(queue.push(item), Ok(()));
        }
        assert_eq!(queue.push(4), Err(4));
        assert_eq!(queue.pop(), 1);
        assert_eq!(queue.push(4), Ok(()));
        assert_eq!(queue.pop_batch(2), [2, 3]);
        assert_eq!(queue.pop_batch(2), [4]);
    }

    #[test]
    fn wakes_who_waits() {
        let queue = Queue::new(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.pop());
            queue.push(5).expect("room");
            assert_eq!(waiting.join().expect("joined"), 5);
        });
    }
}
