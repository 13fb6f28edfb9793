//! Work on many things, shared with other threads.

use std::thread;

/// Returns what `mine` makes of the first half of `items` and, at the same time, `theirs` of the
/// second, in the order of the items; `mine` makes it of all where there are fewer than `many`.
pub fn by_two<T: Sync, R: Send>(
    items: &[T],
    many: usize,
    mine: impl FnOnce(&[T]) -> Vec<R>,
    theirs: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    share(items, if items.len() < many { 1 } else { 2 }, mine, theirs)
}

/// Returns what `mine` makes of the first of as many parts of `items` as there are to be `threads`
/// (this one is among them) and, at the same time, `theirs` of each other one, in the order of the
/// items.
///
/// Where no thread is to be had, its part is done here, a little later.
pub fn share<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    mine: impl FnOnce(&[T]) -> Vec<R>,
    theirs: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let threads = threads.max(1);
    let (first, rest) = items.split_at(items.len() / threads);
    let theirs = &theirs;
    thread::scope(|scope| {
        let parts = rest.chunks(items.len().div_ceil(threads).max(1));
        let begin = |part| thread::Builder::new().spawn_scoped(scope, move || theirs(part));
        let others: Vec<_> = parts.map(|part| (part, begin(part))).collect();
        let mut done = mine(first);
        for (part, other) in others {
            let made = other.ok().and_then(|other| other.join().ok());
            done.extend(made.unwrap_or_else(|| theirs(part)));
        }
        done
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_and_few_are_left_to_one() {
        let here = thread::current().id();
        let items: Vec<u32> = (0..9).collect();
        let by = |many| {
            let work = |part: &[u32]| -> Vec<_> {
                part.iter().map(|item| (*item, thread::current().id() == here)).collect()
            };
            by_two(&items, many, work, work)
        };
        for many in [0, 9, 10, 100] {
            let (made, mine): (Vec<u32>, Vec<bool>) = by(many).into_iter().unzip();
            assert_eq!(made, items);
            let own = mine.iter().filter(|mine| **mine).count();
            assert_eq!(own, if many > 9 { 9 } else { 4 }, "{many}");
        }
    }

    #[test]
    fn each_item_is_in_one_part_however_many_there_are() {
        for count in [0, 1, 2, 7, 10, 100] {
            let items: Vec<usize> = (0..count).collect();
            for threads in [0, 1, 2, 3, 4, 50] {
                let work = |part: &[usize]| part.to_vec();
                assert_eq!(share(&items, threads, work, work), items, "{count} by {threads}");
            }
        }
    }
}
