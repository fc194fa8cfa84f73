//! The same work on many things, done by several processors at once.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

/// More threads than this don't make the file system faster.
const MOST_THREADS: usize = 4;

/// So many threads can work at once.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS)
}

/// Does the same with each of many things, and returns what came of them in their order. So many of them or fewer are not
/// worth a thread.
pub fn in_shares<T: Sync, R: Send>(things: &[T], least: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let share = things.len().div_ceil(threads()).max(least).max(1);
    let work = |share: &[T]| share.iter().map(&work).collect::<Vec<R>>();
    thread::scope(|scope| {
        let mut shares = things.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
        let mut results = work(own);
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::in_shares;

    #[test]
    fn what_comes_of_things_is_in_their_order() {
        for count in [0, 1, 7, 1000] {
            let things: Vec<usize> = (0..count).collect();
            let doubled: Vec<usize> = things.iter().map(|thing| thing * 2).collect();
            assert_eq!(in_shares(&things, 8, |thing| thing * 2), doubled);
        }
    }
}
