//! Any sequence of facts keeps the invariants.

use proptest::prelude::*;

use super::{at_millis, record};
use crate::decide::{enqueue, reduce};
use crate::model::check::check;
use crate::model::facts::*;
use crate::model::lifecycle::*;
use crate::model::policy::{NoticeKey, NoticePolicy, Policy};
use crate::model::record::{Document, Record};
use crate::model::report::{ReportFact, ReportState};

fn any_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn launch() -> impl Strategy<Value = Option<crate::model::id::LaunchId>> {
    prop::option::of(any_of(&["aaaaaaaa", "bbbbbbbb"]).prop_map(|text| text.parse().unwrap()))
}

fn moment() -> impl Strategy<Value = Option<crate::model::time::Timestamp>> {
    prop::option::weighted(0.2, (0..4_000_000u64).prop_map(at_millis))
}

fn runtime() -> impl Strategy<Value = Observation> {
    let fact = (
        any_of(Liveness::ALL),
        any_of(Liveness::ALL),
        prop::bool::weighted(0.05),
        prop::option::weighted(0.05, 0..3),
        launch(),
        moment(),
    );
    fact.prop_map(|(runtime, process, confirmed, exit_code, launch, observed_at)| {
        Observation::Runtime(RuntimeFact {
            observed_at,
            runtime,
            process,
            confirmed,
            exit_code,
            launch,
        })
    })
}

fn activity() -> impl Strategy<Value = Observation> {
    let fact = (
        prop_oneof![4 => Just(Confidence::Valid), 1 => any_of(Confidence::ALL)],
        any_of(ActivityState::ALL),
        any_of(ActivitySource::ALL),
        launch(),
        any::<bool>(),
        prop::option::of(any_of(&["t1", "t2"])),
        moment(),
        prop::option::of(any_of(ReportState::ALL)),
    );
    fact.prop_map(|(confidence, activity, source, launch, boundary, tool, observed_at, said)| {
        Observation::Activity(ActivityFact {
            observed_at,
            confidence,
            activity,
            source,
            launch,
            agent_session: tool.map(str::to_owned),
            boundary,
            tool: tool.map(str::to_owned),
            report: said.map(|state| ReportFact { state, note: None, pr: None }),
        })
    })
}

fn comment() -> impl Strategy<Value = Comment> {
    (0..4u8, any::<bool>()).prop_map(|(id, is_bot)| Comment {
        id: id.to_string(),
        is_bot,
        body: "a ``` b".into(),
        ..Comment::default()
    })
}

fn scm() -> impl Strategy<Value = Observation> {
    let pr = (
        any_of(PrState::ALL),
        prop::bool::weighted(0.1),
        prop::option::of(17..19u64),
        prop::option::of(any_of(&["a1", "a2"])),
    )
        .prop_map(|(state, draft, number, sha)| PrFact {
            state: Some(state),
            draft,
            number,
            url: None,
            head_sha: sha.map(str::to_owned),
        });
    let merge = any::<[bool; 4]>().prop_map(|[mergeable, ci_passing, approved, no_conflicts]| {
        Mergeability { mergeable, ci_passing, approved, no_conflicts, blockers: vec![] }
    });
    let rest = (
        prop::option::of(any_of(CiState::ALL)),
        prop::option::of(any_of(ReviewState::ALL)),
        prop::option::of(merge),
        prop::collection::vec(comment(), 0..3),
        moment(),
    );
    (prop::bool::weighted(0.9), pr, rest).prop_map(
        |(fetched, pr, (ci, review, mergeability, comments, observed_at))| {
            let fact = ScmFact {
                observed_at,
                fetched,
                pr,
                ci,
                review,
                mergeability,
                comments,
                ..ScmFact::default()
            };
            Observation::Scm(Box::new(fact))
        },
    )
}

fn explicit() -> impl Strategy<Value = Observation> {
    prop_oneof![
        3 => Just(Observation::Sent(Bare::default())),
        8 => Just(Observation::Tick(Bare::default())),
        2 => moment().prop_map(|resets_at| Observation::Limit(Limit {
            resets_at, ..Limit::default()
        })),
        2 => Just(Observation::SpawnCompleted(SpawnCompleted::default())),
        1 => Just(Observation::SpawnFailed(SpawnFailed::default())),
        1 => any_of(KillCause::ALL).prop_map(|cause| Observation::Kill(Kill {
            observed_at: None, cause, detail: None
        })),
        2 => launch().prop_map(|launch| Observation::Restore(Restore {
            launch, observed_at: None
        })),
    ]
}

fn any_fact() -> impl Strategy<Value = Observation> {
    prop_oneof![5 => runtime(), 8 => activity(), 6 => scm(), 4 => explicit()]
}

fn story() -> impl Strategy<Value = (Record, Vec<(u64, Observation)>)> {
    let start = (
        any_of(crate::model::record::Mode::ALL),
        any_of(crate::model::record::Signals::ALL),
        prop::bool::ANY,
        prop::bool::ANY,
    )
        .prop_map(|(mode, signals, has_issue, has_parent)| Record {
            mode,
            signals,
            issue: has_issue.then(|| "42".to_owned()),
            parent: has_parent.then(|| "web-1".parse().unwrap()),
            lifecycle: Lifecycle::default(),
            ..record(serde_json::json!({}))
        });
    let delay = prop_oneof![Just(0), 1..6000u64, 60_000..1_200_000u64];
    (start, prop::collection::vec((delay, any_fact()), 1..40))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_sequence_of_facts_keeps_the_invariants((start, facts) in story()) {
        let notices = NoticePolicy { on: NoticeKey::ALL.to_vec() };
        let policy = Policy { notices, ..Policy::default() };
        let mut record = start;
        let mut document = record.to_document();
        let mut elapsed = 0;
        for (delay, fact) in facts {
            elapsed += delay;
            let now = at_millis(elapsed);
            let Ok(outcome) = reduce(&record, &fact, &policy, now) else {
                let refused = matches!(fact, Observation::Restore(_));
                prop_assert!(refused && !record.lifecycle.is_terminal());
                continue;
            };
            prop_assert_eq!(&reduce(&record, &fact, &policy, now).unwrap(), &outcome);
            prop_assert_eq!(check(&outcome.after), vec![], "{:?}", fact);
            let explicit = matches!(fact, Observation::Restore(_));
            if record.lifecycle.is_terminal() && !explicit {
                let (old, new) = (&record.lifecycle, &outcome.after.lifecycle);
                prop_assert_eq!(&Lifecycle { pr: old.pr.clone(), ..new.clone() }, old);
            }
            if !explicit {
                let again = reduce(&outcome.after, &fact, &policy, now).unwrap();
                prop_assert!(again.is_unchanged(), "{:?} twice: {:?}", fact, again.patch);
            }
            let revision = record.revision + 1;
            let after = Record { revision, ..outcome.after };
            let after = enqueue(&after, &outcome.effects, revision, now);
            prop_assert_eq!(check(&after), vec![]);
            document = document.patched(&record.difference(&after));
            prop_assert_eq!(&document, &after.to_document());
            record = after;
        }
        let read = Document::parse(&document.to_bytes()).unwrap();
        prop_assert_eq!(read.view().unwrap(), record);
    }
}
