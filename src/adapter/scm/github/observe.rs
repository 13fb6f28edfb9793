//! Looks at the pull requests of all sessions of a repository.
//!
//! First the list, which says what there is and what changed; then whatever is unsettled or may
//! have changed unseen; then those that changed, or were not fetched for long, 25 in one query.
//! All others are as they were seen last. What cannot be found out is not known, of the pull
//! request it is about or of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::GitHub;
use super::cache::{self, Cache, Listed, Seen};
use super::facts;
use super::whose;
use crate::adapter::clock;
use crate::adapter::scm::ForgeError;
use crate::model::collect::Sorted;
use crate::model::facts::{PrFact, ScmFact};
use crate::model::forge::{Observed, Subject};
use crate::model::lifecycle::PrState;
use crate::model::sanitize;
use crate::model::time::Timestamp;

/// How far the clocks of two machines may be apart.
const SKEW: Duration = Duration::from_secs(120);

/// How long checks of a fresh head may take to appear.
const QUIET: Duration = Duration::from_secs(60);

/// How many pull requests that belong to a session by number alone are found in one look.
const MOST_CLAIMS: usize = 25;

/// What is known of one subject: its pull request's number, that it has none, or why neither.
type Found = Result<Option<u64>, String>;

impl GitHub {
    /// Looks at the pull requests of `subjects`: one answer each, in their order.
    pub(super) fn look(&self, subjects: &[Subject]) -> Vec<Observed> {
        match self.try_look(subjects) {
            Ok(facts) => {
                let pairs = subjects.iter().zip(facts);
                pairs.map(|(subject, fact)| self.observed(subject, fact)).collect()
            }
            Err(error) => {
                let why = self.with_hint(&error);
                let denied = matches!(error, ForgeError::Denied { .. });
                let unknown = |subject: &Subject| Observed {
                    denied,
                    ..self.observed(subject, Err(why.clone()))
                };
                subjects.iter().map(unknown).collect()
            }
        }
    }

    fn observed(&self, subject: &Subject, fact: Result<ScmFact, String>) -> Observed {
        let (fact, why) = match fact {
            Ok(fact) => (fact, None),
            // The same is told once, not once for every session.
            Err(why) => (ScmFact::default(), self.client.tell_once(&why)),
        };
        Observed { id: subject.id.clone(), fact, why, denied: false }
    }

    fn with_hint(&self, error: &ForgeError) -> String {
        let why = sanitize::chain(error);
        if self.client.has_token() {
            return why;
        }
        format!("{why}; `scm.kind = \"local\"` does without GitHub")
    }

    fn try_look(&self, subjects: &[Subject]) -> Result<Vec<Result<ScmFact, String>>, ForgeError> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let accounts = self.accounts()?;
        let path = self
            .client
            .directory()
            .map(|directory| cache::path(directory, &self.repository.owner, &self.repository.name));
        let key = format!("{} as {}", self.repository.full_name(), accounts.join(" "));
        let mut cache = Cache::load(path.as_deref(), &key);
        let result = self.look_with(&mut cache, subjects);
        if let (Err(ForgeError::NotFound { .. }), Some(_)) = (&result, &cache.renamed) {
            cache.renamed = None;
        }
        cache.store(path.as_deref());
        result
    }

    fn look_with(
        &self,
        cache: &mut Cache,
        subjects: &[Subject],
    ) -> Result<Vec<Result<ScmFact, String>>, ForgeError> {
        let now = clock::now();
        self.update_list(cache, oldest(subjects, now))?;
        let found = self.find(cache, subjects)?;
        let chosen = found.iter().filter_map(|it| it.clone().ok()?).into_set();
        let final_ones = finished(subjects, &found);
        let wanted: Vec<u64> = chosen.difference(&final_ones).copied().collect();
        let failures = self.refresh(cache, &wanted, now)?;
        let facts = subjects.iter().zip(found).map(|(subject, found)| {
            let Some(number) = found? else { return Ok(none(now)) };
            if final_ones.contains(&number) {
                return Ok(merged(subject, now));
            }
            match failures.get(&number) {
                Some(why) => Err(format!("pull request #{number}: {why}")),
                None => self.fact(cache, number).ok_or_else(|| "it was not fetched".to_owned()),
            }
        });
        Ok(facts.collect())
    }

    /// Returns the number of each subject's pull request.
    fn find(&self, cache: &mut Cache, subjects: &[Subject]) -> Result<Vec<Found>, ForgeError> {
        let mut claims = 0;
        let mut all = Vec::new();
        for subject in subjects {
            if let Some(number) = subject.number.filter(|it| !cache.listed.contains_key(it)) {
                claims += 1;
                if claims > MOST_CLAIMS {
                    all.push(
                        Err("a later pass looks at it: there are too many at once".to_owned()),
                    );
                    continue;
                }
                match self.claim(cache, number) {
                    Ok(()) => {}
                    Err(error @ (ForgeError::NotFound { .. } | ForgeError::Unreadable { .. })) => {
                        all.push(Err(sanitize::chain(&error)));
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            let own = cache.listed.values().filter(|it| self.belongs(it, subject));
            all.push(Ok(whose::choose(
                subject,
                cache.listed.get(&subject.number.unwrap_or(0)),
                own,
            )));
        }
        Ok(all)
    }

    /// Returns whether a pull request is a session's: by branch, head repository, author and age.
    fn belongs(&self, listed: &Listed, subject: &Subject) -> bool {
        let pushed_here = listed.head_repository.as_ref().is_some_and(|head| {
            let remotes = self.watch.remotes.iter();
            head.eq_ignore_ascii_case(&listed.base_repository)
                || remotes.map(super::Slug::full_name).any(|own| own.eq_ignore_ascii_case(head))
        });
        let since = subject.created_at;
        let younger = since.is_none_or(|since| listed.created_at.plus(SKEW) >= since);
        listed.branch == subject.branch
            && pushed_here
            && self.is_own_account(&listed.author)
            && younger
    }

    /// Fetches what changed or is too old; returns why for those that cannot be had.
    fn refresh(
        &self,
        cache: &mut Cache,
        wanted: &[u64],
        now: Timestamp,
    ) -> Result<BTreeMap<u64, String>, ForgeError> {
        let mut failures = BTreeMap::new();
        let mut stale = self.stale(cache, wanted, now);
        let held = |stale: &BTreeSet<u64>| -> Vec<u64> {
            wanted.iter().copied().filter(|number| !stale.contains(number)).collect()
        };
        let rest = held(&stale);
        let open = |number: &u64| cache.seen.get(number).is_some_and(|it| it.pull.state == "OPEN");
        let is_unsettled = |number: &u64| {
            cache
                .seen
                .get(number)
                .is_some_and(|seen| facts::is_unsettled(&seen.pull) || is_quiet(seen))
        };
        if rest.iter().any(is_unsettled) {
            stale.extend(self.feel(cache, &rest, &mut failures)?);
        } else if rest.iter().any(open) || (!wanted.is_empty() && cache.runs.is_none()) {
            let heads = self.changed_heads(cache)?;
            stale.extend(rest.into_iter().filter(|number| {
                let seen = cache.seen.get(number);
                seen.is_some_and(|seen| heads.contains(&seen.pull.head_sha))
            }));
        }
        self.fetch_all(cache, &stale, now, &mut failures)?;
        Ok(failures)
    }

    /// Returns those that the list shows to have changed, that were never fetched, or not for
    /// long. Where one is too old, all that soon will be go along: they share a query.
    fn stale(&self, cache: &Cache, wanted: &[u64], now: Timestamp) -> BTreeSet<u64> {
        let age = |number: &u64| cache.seen.get(number).map(|seen| now.since(seen.fetched_at));
        let refetch = self.watch.refetch;
        let due = wanted.iter().any(|number| age(number).is_some_and(|age| age >= refetch));
        let limit = if due { refetch / 2 } else { refetch };
        let changed = |number: &u64| match (cache.seen.get(number), cache.listed.get(number)) {
            (Some(seen), Some(listed)) => listed.updated_at > seen.pull.updated_at,
            (Some(_), None) => false,
            (None, _) => true,
        };
        // A clock that was set back makes no age at all.
        let future = |number: &u64| cache.seen.get(number).is_some_and(|it| it.fetched_at > now);
        let old = |number: &u64| age(number).is_some_and(|age| age >= limit);
        let waited = |number: &u64| {
            let seen = cache.seen.get(number);
            seen.is_some_and(|seen| is_quiet(seen) && now.since(seen.head_at) >= QUIET)
        };
        let stale = wanted.iter().filter(|it| old(it) || changed(it) || future(it) || waited(it));
        stale.copied().into_set()
    }

    /// Feels the pulse of `numbers` and returns those that changed.
    fn feel(
        &self,
        cache: &Cache,
        numbers: &[u64],
        failures: &mut BTreeMap<u64, String>,
    ) -> Result<Vec<u64>, ForgeError> {
        let ids: Vec<&str> =
            numbers.iter().filter_map(|it| Some(cache.listed.get(it)?.node.as_str())).collect();
        let mut changed = Vec::new();
        for (number, pulse) in numbers.iter().zip(self.pulses(&ids)?) {
            match pulse {
                Ok(pulse) => {
                    let before = cache.seen.get(number).map(|seen| seen.pulse.as_str());
                    if before != Some(pulse.as_str()) {
                        changed.push(*number);
                    }
                }
                Err(why) => {
                    failures.insert(*number, why);
                }
            }
        }
        Ok(changed)
    }

    fn fetch_all(
        &self,
        cache: &mut Cache,
        numbers: &BTreeSet<u64>,
        now: Timestamp,
        failures: &mut BTreeMap<u64, String>,
    ) -> Result<(), ForgeError> {
        let ids: Vec<(u64, String)> = numbers
            .iter()
            .filter_map(|number| Some((*number, cache.listed.get(number)?.node.clone())))
            .collect();
        let nodes: Vec<&str> = ids.iter().map(|(_, id)| id.as_str()).collect();
        for ((number, _), fetched) in ids.iter().zip(self.fetch(&nodes)?) {
            let (pull, pulse) = match fetched {
                Ok((pull, _)) if pull.number != *number => {
                    failures.insert(*number, "another one was answered".to_owned());
                    continue;
                }
                Ok(fetched) => fetched,
                Err(why) => {
                    failures.insert(*number, why);
                    continue;
                }
            };
            let before = cache.seen.remove(number);
            let same = before.filter(|before| before.pull.head_sha == pull.head_sha);
            let head_at = same.as_ref().map_or(now, |before| before.head_at);
            let logs = same.map(|before| before.logs).unwrap_or_default();
            let seen = Seen { fetched_at: now, head_at, pulse, pull, logs };
            cache.seen.insert(*number, seen);
        }
        Ok(())
    }

    fn fact(&self, cache: &mut Cache, number: u64) -> Option<ScmFact> {
        let log = self.log_tail(cache, number);
        let seen = cache.seen.get(&number)?;
        Some(facts::of(&seen.pull, seen.fetched_at, is_quiet(seen), log))
    }
}

/// Returns whether nothing checks the head, which is so fresh that something still may.
fn is_quiet(seen: &Seen) -> bool {
    let fresh = seen.fetched_at.since(seen.head_at) < QUIET;
    fresh && seen.pull.checks.is_empty() && seen.pull.state == "OPEN"
}

/// Returns how far back a pull request can lie that was opened for one of `subjects`.
fn oldest(subjects: &[Subject], now: Timestamp) -> Timestamp {
    let created = subjects.iter().map(|subject| subject.created_at.unwrap_or(now));
    let oldest = created.min().unwrap_or(now);
    let skew = i64::try_from(SKEW.as_millis()).unwrap_or(0);
    Timestamp::from_millis(oldest.as_millis().saturating_sub(skew))
}

/// Returns the pull requests that nothing more can happen to.
fn finished(subjects: &[Subject], found: &[Found]) -> BTreeSet<u64> {
    let merged = |subject: &Subject| subject.number.filter(|_| subject.state == PrState::Merged);
    let same = |(subject, found): (&Subject, &Found)| {
        merged(subject).filter(|number| *found == Ok(Some(*number)))
    };
    subjects.iter().zip(found).filter_map(same).into_set()
}

fn none(now: Timestamp) -> ScmFact {
    ScmFact { observed_at: Some(now), fetched: true, ..ScmFact::default() }
}

fn merged(subject: &Subject, now: Timestamp) -> ScmFact {
    let (state, number) = (Some(PrState::Merged), subject.number);
    let pr = PrFact { state, number, head_sha: subject.head_sha.clone(), ..PrFact::default() };
    ScmFact { pr, ..none(now) }
}
