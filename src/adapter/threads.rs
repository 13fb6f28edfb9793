//! Work on many things, shared with other threads.

use std::marker::PhantomData;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::{io, iter, thread};

use rustix::thread::UnshareFlags;

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
    let parts = rest.chunks(items.len().div_ceil(threads).max(1));
    let begun: Vec<_> = parts.map(|part| (part, Elsewhere::begin(move || theirs(part)))).collect();
    let mut done = mine(first);
    for (part, other) in begun {
        let made = other.and_then(|other| other.join().ok());
        done.extend(made.unwrap_or_else(|| theirs(part)));
    }
    done
}

/// Returns what `mine` makes and, at the same time, what `theirs` does.
///
/// Where no thread is to be had, both are done here, one after the other.
pub fn both<A, B: Send>(mine: impl FnOnce() -> A, theirs: impl Fn() -> B + Sync) -> (A, B) {
    let other = Elsewhere::begin(&theirs);
    let mine = mine();
    let made = other.and_then(|other| other.join().ok());
    (mine, made.unwrap_or_else(theirs))
}

/// Returns what `mine` makes and, at the same time where it `is_worth` a thread, what `theirs` does.
pub fn both_where<A, B: Send>(
    is_worth: bool,
    mine: impl FnOnce() -> A,
    theirs: impl Fn() -> B + Sync,
) -> (A, B) {
    if is_worth { both(mine, theirs) } else { (mine(), theirs()) }
}

/// Returns what `work`, which takes what is next until nothing is left, makes on each of so many
/// `threads` at the same time: on this one first, then on the others, an error where one panicked.
///
/// Where no thread is to be had, there are fewer, and they take more.
///
/// A thread may have a table of descriptors of its own: `work` opens, uses and closes what it needs
/// itself, or borrows what was open before; it neither returns a descriptor nor leaves one anywhere.
pub fn together<R: Send>(threads: usize, work: impl Fn() -> R + Sync) -> Vec<thread::Result<R>> {
    // Another thread may be about to close what is to reach its end by that, a pipe or a lock: a
    // copy of it here would keep it open.
    let nobody_else = threads > 1 && is_the_only_one();
    let apart = || {
        let _own = nobody_else.then(OwnTable::begin);
        work()
    };
    let others: Vec<_> = (1..threads).map_while(|_| Elsewhere::begin(apart)).collect();
    let mine = iter::once(Ok(work()));
    mine.chain(others.into_iter().map(Elsewhere::join)).collect()
}

/// A thread that may use what is borrowed, for it is over before this is.
struct Elsewhere<'a, R>(Option<JoinHandle<R>>, PhantomData<&'a ()>);

impl<'a, R: Send> Elsewhere<'a, R> {
    /// Begins a thread on another processor than this one, where there is one; none where no thread
    /// is to be had. Once it runs it is the system's to place.
    fn begin(work: impl FnOnce() -> R + Send + 'a) -> Option<Self> {
        let all = rustix::thread::sched_getaffinity(None).ok();
        let work = move || {
            if let Some(all) = all {
                // Otherwise it stays off that processor, which somebody else may leave to it.
                let _ = rustix::thread::sched_setaffinity(None, &all);
            }
            work()
        };
        // SAFETY: what the thread uses outlives it, as whoever has this waits for it, [`Drop`] at
        // the latest; nobody in this module forgets one.
        let thread = unsafe { begin_aside_unchecked(work) }.ok()?;
        Some(Self(Some(thread), PhantomData))
    }

    /// Returns what the thread made, an error where it panicked.
    fn join(mut self) -> thread::Result<R> {
        self.0.take().expect("nobody else takes it").join()
    }
}

impl<R> Drop for Elsewhere<'_, R> {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // What it made is nobody's any more, and whether it panicked.
            let _ = thread.join();
        }
    }
}

/// Begins a thread that runs, with the programs that it starts, on any processor but the one that runs
/// this.
///
/// Linux puts who is new, and who waited for a program to be loaded, beside who made it, and with
/// few processors may leave them there until one of them sleeps, with another processor idle. What
/// cannot be arranged is left to it.
pub fn begin_aside<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> io::Result<JoinHandle<R>> {
    // SAFETY: it borrows nothing.
    unsafe { begin_aside_unchecked(work) }
}

/// [`begin_aside`] with what may borrow.
///
/// # Safety
///
/// The thread is to be joined before what it borrows ends.
unsafe fn begin_aside_unchecked<R: Send>(
    work: impl FnOnce() -> R + Send,
) -> io::Result<JoinHandle<R>> {
    let placed = Arc::new(AtomicBool::new(false));
    let is_placed = Arc::clone(&placed);
    let work = move || {
        while !is_placed.load(Ordering::Acquire) {
            thread::yield_now();
        }
        work()
    };
    // SAFETY: as the caller says.
    let thread = unsafe { thread::Builder::new().spawn_unchecked(work) }?;
    keep_off_this_processor(&thread);
    placed.store(true, Ordering::Release);
    Ok(thread)
}

/// Keeps a thread off the processor that runs this. It must not have ended: its number is 0 then,
/// which means this thread.
fn keep_off_this_processor<T>(thread: &JoinHandle<T>) {
    const SIZE: usize = size_of::<libc::cpu_set_t>();
    // SAFETY: a set of processors is plain bits, of which none is set; each call is given the set
    // with its size, and numbers of processors that are below it. The thread was not joined yet.
    unsafe {
        let mut processors: libc::cpu_set_t = std::mem::zeroed();
        let here = usize::try_from(libc::sched_getcpu()).unwrap_or(usize::MAX);
        if here >= SIZE * 8 || libc::sched_getaffinity(0, SIZE, &raw mut processors) != 0 {
            return;
        }
        libc::CPU_CLR(here, &mut processors);
        if libc::CPU_COUNT(&processors) > 0 {
            libc::pthread_setaffinity_np(thread.as_pthread_t(), SIZE, &raw const processors);
        }
    }
}

/// Returns whether this process has no other thread; `false` where that cannot be told.
fn is_the_only_one() -> bool {
    // A directory has a link for itself, one for its name and one for each directory in it.
    rustix::fs::stat("/proc/self/task").is_ok_and(|tasks| tasks.st_nlink == 3)
}

/// A table of descriptors that is this thread's alone, which spares each system call the counting
/// and locking that one shared with others needs: a tenth of what many small files take.
///
/// Where there is none to be had, the one that all share serves as ever.
struct OwnTable {
    is_own: bool,
}

impl OwnTable {
    fn begin() -> Self {
        // SAFETY: [`together`] says what a thread may do with descriptors: it uses those that were
        // open when the tables parted, which have the same numbers in both, and its own.
        let begun = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::FILES) };
        Self { is_own: begun.is_ok() }
    }
}

impl Drop for OwnTable {
    fn drop(&mut self) {
        if self.is_own {
            // Before anybody is told that this thread is over, so that no lock and no pipe is open
            // for longer than its owner keeps it. Older kernels than 5.9 do that a moment later.
            // SAFETY: the table is this thread's alone, and the thread has nothing open any more.
            unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;

    use rustix::fs::{Mode, OFlags};
    use rustix::thread::CpuSet;

    use super::*;
    use crate::adapter::fs;

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

    #[test]
    fn of_two_things_one_is_made_elsewhere_and_here_where_that_fails() {
        let here = thread::current().id();
        let is_here = || thread::current().id() == here;
        assert_eq!(both(is_here, is_here), (true, false));
        let only_here = || assert!(is_here());
        assert_eq!(both(is_here, only_here), (true, ()));
    }

    #[test]
    fn what_is_not_worth_a_thread_is_done_here() {
        let here = thread::current().id();
        let is_here = || thread::current().id() == here;
        for is_worth in [false, true] {
            assert_eq!(both_where(is_worth, is_here, is_here), (true, !is_worth));
        }
    }

    #[test]
    fn whoever_panics_waits_for_the_others_first() {
        let is_over = AtomicUsize::new(0);
        let (ready, go) = (AtomicUsize::new(0), std::panic::AssertUnwindSafe(&is_over));
        let panics = || {
            both(
                || {
                    ready.store(1, Ordering::SeqCst);
                    panic!("here")
                },
                || {
                    while ready.load(Ordering::SeqCst) == 0 {
                        thread::yield_now();
                    }
                    go.fetch_add(1, Ordering::SeqCst)
                },
            )
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert_eq!(is_over.into_inner(), 1);
    }

    #[test]
    fn who_is_begun_elsewhere_may_run_where_this_one_may_and_leaves_that_as_it_was() {
        let allowed = || rustix::thread::sched_getaffinity(None).unwrap();
        let all = allowed();
        for _ in 0..2000 {
            // Over as soon as it can be.
            assert!(both(|| (), allowed).1 == all);
            begin_aside(|| ()).unwrap().join().unwrap();
        }
        assert!(allowed() == all);
    }

    #[test]
    fn who_works_together_takes_everything_once() {
        for threads in [0, 1, 2, 50] {
            let next = AtomicUsize::new(0);
            let take = || {
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < 100).then_some(number)
            };
            let made = together(threads, || iter::from_fn(take).collect::<Vec<_>>());
            assert_eq!(made.len(), threads.max(1));
            let mut all: Vec<usize> = made.into_iter().flat_map(Result::unwrap).collect();
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>(), "{threads}");
        }
    }

    #[test]
    fn who_is_kept_off_a_processor_may_run_on_all_others() {
        let allowed = || rustix::thread::sched_getaffinity(None).unwrap();
        let before = allowed();
        let other = begin_aside(allowed).unwrap().join().unwrap();
        assert_eq!(allowed(), before, "this thread may run where it could");
        assert!((0..CpuSet::MAX_CPU).all(|cpu| before.is_set(cpu) || !other.is_set(cpu)));
        // With one alone there is nowhere else to go.
        assert_eq!(other.count(), (before.count() - 1).max(1));
    }

    #[test]
    fn a_table_of_its_own_has_what_was_open_and_ends_with_the_thread() {
        let open =
            || rustix::fs::open(c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let before = open();
        let listed = || fs::names(Path::new("/proc/thread-self/fd")).unwrap().len();
        let all = |number: i32| {
            fs::names(Path::new("/proc/self/fd")).unwrap().contains(&number.to_string().into())
        };
        let (shared, left) = thread::spawn(move || {
            let table = OwnTable::begin();
            assert!(table.is_own && rustix::fs::fstat(&before).is_ok());
            // Higher than any that another test may have open at this moment.
            let own = rustix::io::fcntl_dupfd_cloexec(open(), 900).unwrap();
            let shared = all(own.as_raw_fd());
            drop((own, before));
            drop(table);
            (shared, listed())
        })
        .join()
        .unwrap();
        assert!(!shared);
        assert_eq!(left, 1, "what lists them");
    }

    #[test]
    fn what_panics_elsewhere_is_told() {
        let here = thread::current().id();
        let made = together(3, || assert_eq!(thread::current().id(), here));
        assert_eq!(made.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    }
}
