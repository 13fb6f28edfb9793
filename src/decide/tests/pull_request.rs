//! The ladder of an open or draft pull request.

use serde_json::{Value, json};

use super::{at, record, see, step};
use crate::model::facts::{
    CiState, Comment, Mergeability, Observation, PrFact, ReviewState, ScmFact,
};
use crate::model::lifecycle::PrState;
use crate::model::policy::Policy;

fn open(fact: Value) -> Value {
    let mut whole = json!({"kind":"scm","fetched":true,"pr":{"state":"open"}});
    whole.as_object_mut().unwrap().extend(fact.as_object().unwrap().clone());
    whole
}

#[test]
fn every_rung_and_what_it_masks() {
    let human = json!({"id": 1, "author": "eve", "body": "x"});
    let bot = json!({"id": 2, "author": "ci", "body": "x", "is_bot": true});
    let conflict = json!({"no_conflicts": false, "approved": true});
    let ready = json!({"mergeable": true, "no_conflicts": true});
    let rows = [
        (
            "failing, all else too",
            json!({"ci":"failing","review":"changes_requested",
            "comments":[human, bot],"mergeability":conflict}),
        ),
        ("failing draft", json!({"ci":"failing","pr":{"state":"draft"}})),
        (
            "draft by flag, all else too",
            json!({"pr":{"state":"open","draft":true},"ci":"pending",
            "review":"changes_requested","comments":[human],"mergeability":ready}),
        ),
        ("draft by state", json!({"pr":{"state":"draft"}})),
        ("changes requested, ready", json!({"review":"changes_requested","mergeability":ready})),
        ("a person's comment, approved", json!({"review":"approved","comments":[bot, human]})),
        ("a program's comment, conflict", json!({"comments":[bot],"mergeability":conflict})),
        ("conflict, approved", json!({"review":"approved","mergeability":conflict})),
        ("conflict, ci passing", json!({"mergeability":{"ci_passing":true}})),
        ("conflict, blocker", json!({"mergeability":{"blockers":["dirty"]}})),
        ("not looked at yet", json!({"mergeability":{}})),
        (
            "blocked without conflict",
            json!({"mergeability":{"no_conflicts":true,"blockers":["x"]}}),
        ),
        ("mergeable, approved", json!({"review":"approved","mergeability":ready})),
        ("approved, ci pending", json!({"review":"approved","ci":"pending"})),
        ("review pending", json!({"review":"pending"})),
        ("nothing", json!({})),
    ];
    let mut table = String::new();
    for (name, fact) in rows {
        let before = record(json!({}));
        let outcome = see(&before, open(fact), at(10));
        let pr = &outcome.after.lifecycle.pr;
        assert_eq!(outcome.after.lifecycle.session, before.lifecycle.session, "{name}");
        table.push_str(&format!(
            "{name} => {} {}/{} {}\n",
            outcome.rule, pr.state, pr.reason, outcome.status_after
        ));
    }
    insta::assert_snapshot!(table, @"
    failing, all else too => pr.1 open/ci_failing ci_failed
    failing draft => pr.1 draft/ci_failing ci_failed
    draft by flag, all else too => pr.2 draft/in_progress draft
    draft by state => pr.2 draft/in_progress draft
    changes requested, ready => pr.3 open/changes_requested changes_requested
    a person's comment, approved => pr.3 open/changes_requested changes_requested
    a program's comment, conflict => pr.4 open/bot_comments changes_requested
    conflict, approved => pr.5 open/merge_conflicts pr_open
    conflict, ci passing => pr.5 open/merge_conflicts pr_open
    conflict, blocker => pr.5 open/merge_conflicts pr_open
    not looked at yet => pr.10 open/in_progress pr_open
    blocked without conflict => pr.10 open/in_progress pr_open
    mergeable, approved => pr.6 open/merge_ready mergeable
    approved, ci pending => pr.7 open/approved approved
    review pending => pr.8 open/review_pending review_pending
    nothing => pr.10 open/in_progress pr_open
    ");
}

#[test]
fn every_combination_is_sound_and_leaves_the_session_alone() {
    let comment = |is_bot| Comment { id: "1".into(), is_bot, ..Comment::default() };
    let subject = record(json!({}));
    for state in [PrState::Open, PrState::Draft] {
        for &ci in CiState::ALL {
            for &review in ReviewState::ALL {
                for comments in [
                    vec![],
                    vec![comment(true)],
                    vec![comment(false)],
                    vec![comment(true), comment(false)],
                ] {
                    for bits in 0..32u8 {
                        let bit = |n: u8| bits & (1 << n) != 0;
                        let fact = ScmFact {
                            fetched: true,
                            pr: PrFact { state: Some(state), ..PrFact::default() },
                            ci: Some(ci),
                            review: Some(review),
                            mergeability: Some(Mergeability {
                                mergeable: bit(0),
                                ci_passing: bit(1),
                                approved: bit(2),
                                no_conflicts: bit(3),
                                blockers: if bit(4) { vec!["x".into()] } else { vec![] },
                            }),
                            comments: comments.clone(),
                            ..ScmFact::default()
                        };
                        let observation = Observation::Scm(Box::new(fact));
                        let outcome = step(&subject, &observation, &Policy::default(), at(1));
                        assert_eq!(outcome.after.lifecycle.session, subject.lifecycle.session);
                        assert!(outcome.rule.starts_with("pr."));
                        let again = step(&outcome.after, &observation, &Policy::default(), at(1));
                        assert!(again.is_unchanged());
                    }
                }
            }
        }
    }
}

#[test]
fn identity_stays_until_another_comes_and_as_of_moves_with_the_axis() {
    let first = see(
        &record(json!({})),
        open(json!({"pr":{"state":"open","number":17,"url":"u","head_sha":"a1"}})),
        at(10),
    )
    .after;
    let same = see(&first, open(json!({})), at(20));
    assert!(same.patch.is_empty());
    let moved = see(&first, open(json!({"ci":"failing"})), at(20)).after.lifecycle.pr;
    assert_eq!((moved.number, moved.url.as_deref()), (Some(17), Some("u")));
    assert_eq!((moved.head_sha.as_deref(), moved.as_of), (Some("a1"), Some(at(20))));
    let other = see(&first, open(json!({"pr":{"state":"open","number":18}})), at(20));
    let other = other.after.lifecycle.pr;
    assert_eq!((other.number, other.url, other.head_sha), (Some(18), None, None));
}

#[test]
fn a_failed_fetch_changes_nothing_whatever_it_claims() {
    let known = [
        ("none", "not_created"),
        ("draft", "in_progress"),
        ("open", "in_progress"),
        ("merged", "merged"),
        ("closed", "closed_unmerged"),
    ];
    for (before, reason) in known {
        let pr = json!({"state": before, "reason": reason, "number": 7});
        let known = record(json!({"lifecycle": {"pr": pr}}));
        for claimed in ["none", "draft", "open", "merged", "closed"] {
            let mut fact = open(json!({"ci": "failing", "pr": {"state": claimed}}));
            fact["fetched"] = json!(false);
            let outcome = see(&known, fact, at(10));
            assert!(outcome.patch.is_empty(), "{before} {claimed}");
            assert_eq!((outcome.rule, outcome.effects.len()), ("noop.not_fetched", 0));
        }
    }
}
