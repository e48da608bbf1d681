use std::collections::BTreeMap;

use super::*;

const WHEN: &str = "2026-11-20T10:00:00Z";

fn prompt(revision: i64) -> Prompt {
    let content_hash = format!("text {revision}");
    Prompt { name: "helper".to_owned(), revision, version: format!("v{revision}"), content_hash, ..Prompt::default() }
}

fn verdict(decision: &str, tried: &Prompt) -> Evidence {
    Evidence {
        verdict: "v".to_owned(),
        decision: decision.to_owned(),
        candidate: format!("version:helper@{}", tried.version),
        tried: Some(tried.clone()),
        reached_at: "2026-11-20T09:00:00Z".to_owned(),
        measured: BTreeMap::from([("right".to_owned(), 0.9)]),
    }
}

struct Story {
    ledger: Ledger,
    entries: Vec<Entry>,
    /// The revisions of which there was talk.
    prompts: Vec<Prompt>,
    now: &'static str,
}

impl Story {
    fn new() -> Self {
        Self { ledger: Ledger::default(), entries: Vec::new(), prompts: Vec::new(), now: WHEN }
    }

    fn try_step(
        &mut self,
        step: Step,
        prompt: &Prompt,
        author: &str,
        more: (Option<&str>, bool),
    ) -> Result<(), String> {
        let evidence = more.0.map(|decision| verdict(decision, prompt));
        self.take(step, prompt, author, evidence.as_ref(), more.1)
    }

    fn take(
        &mut self,
        step: Step,
        prompt: &Prompt,
        author: &str,
        evidence: Option<&Evidence>,
        forced: bool,
    ) -> Result<(), String> {
        let signed = Signed { author: author.to_owned(), note: forced.then(|| "urgent".to_owned()) };
        self.prompts.push(prompt.clone());
        let live = self.live();
        let step = Move {
            step,
            prompt,
            live: self.prompts.iter().rev().find(|prompt| Some(prompt.revision) == live),
            known: &self.prompts,
            environment: "production",
            signed: &signed,
            effective_at: self.now,
            evidence,
            forced,
        };
        self.entries.extend(self.ledger.step(&step)?);
        // As they come back from the table: in any order.
        let mut rows = self.entries.clone();
        rows.reverse();
        self.ledger = Ledger::new(rows);
        Ok(())
    }

    fn step(&mut self, step: Step, prompt: &Prompt, author: &str) {
        self.try_step(step, prompt, author, (Some("pass"), false)).unwrap();
    }

    fn refused(&mut self, step: Step, prompt: &Prompt, author: &str, decision: Option<&str>) -> String {
        self.try_step(step, prompt, author, (decision, false)).unwrap_err()
    }

    fn live(&self) -> Option<i64> {
        self.ledger.live("production").map(|live| live.revision)
    }

    fn release(&mut self, revision: i64) {
        let prompt = prompt(revision);
        self.step(Step::Propose, &prompt, "ann");
        self.step(Step::Approve, &prompt, "bob");
        self.step(Step::Stage, &prompt, "ann");
        self.step(Step::Live, &prompt, "ann");
    }
}

#[test]
fn a_release_needs_others_and_a_gate_that_passed() {
    let mut story = Story::new();
    let one = prompt(1);
    assert!(story.refused(Step::Approve, &one, "bob", None).contains("not in review"));
    assert!(story.refused(Step::Live, &one, "ann", Some("pass")).contains("0 of 1 approvals"));
    story.try_step(Step::Propose, &one, "ann", (None, false)).unwrap();
    assert!(story.refused(Step::Approve, &one, "ann", None).contains("somebody else"));
    story.try_step(Step::Approve, &one, "bob", (None, false)).unwrap();
    assert!(story.refused(Step::Approve, &one, "bob", None).contains("already"));
    assert!(story.refused(Step::Live, &one, "ann", None).contains("no gate's verdict"));
    assert!(story.refused(Step::Live, &one, "ann", Some("not_enough_evidence")).contains("not enough evidence"));
    story.step(Step::Live, &one, "ann");
    assert_eq!((story.live(), story.ledger.state("production", 1)), (Some(1), Some(State::Live)));
    assert_eq!(story.ledger.live("staging"), None);
    let first = story.refused(Step::Rollback, &one, "ann", None);
    assert!(first.starts_with("nothing of `helper` was live in production before `helper@1`, so"), "{first}");
    assert!(first.contains("`tracewell release live helper@REVISION --in production`"), "{first}");
}

#[test]
fn reviewers_and_their_number_are_held() {
    let mut story = Story::new();
    let two = Prompt { reviewers: vec!["bob".to_owned(), "cleo".to_owned()], approvals: Some(2), ..prompt(1) };
    story.step(Step::Propose, &two, "ann");
    assert!(story.refused(Step::Approve, &two, "dan", None).contains("is reviewed by bob, cleo, and not by dan"));
    story.step(Step::Approve, &two, "bob");
    assert!(story.refused(Step::Stage, &two, "ann", Some("pass")).contains("1 of 2 approvals"));
    // Proposed anew, it is approved anew.
    story.step(Step::Reject, &two, "cleo");
    story.step(Step::Propose, &two, "ann");
    story.step(Step::Approve, &two, "cleo");
    assert!(story.refused(Step::Stage, &two, "ann", Some("pass")).contains("1 of 2 approvals"));
    story.step(Step::Approve, &two, "bob");
    story.step(Step::Stage, &two, "ann");
    assert_eq!(story.ledger.state("production", 1), Some(State::Staged));
}

#[test]
fn a_rollback_leads_to_what_was_live_and_was_not_withdrawn() {
    let mut story = Story::new();
    (1..=3).for_each(|revision| story.release(revision));
    assert_eq!(story.live(), Some(3));
    story.step(Step::Rollback, &prompt(3), "ann");
    assert_eq!((story.live(), story.ledger.state("production", 3)), (Some(2), Some(State::RolledBack)));
    let last: Vec<(i64, State, Option<i64>)> =
        story.entries.iter().rev().take(2).map(|entry| (entry.entry, entry.state, entry.replaces)).collect();
    assert_eq!(last, [(13, State::Live, Some(3)), (13, State::RolledBack, None)]);
    story.step(Step::Rollback, &prompt(2), "ann");
    assert_eq!(story.live(), Some(1));
    let last = story.refused(Step::Rollback, &prompt(1), "ann", None);
    assert!(
        last.starts_with("all of `helper` that was live in production before `helper@1` was rolled back"),
        "{last}"
    );
    story.release(4);
    story.step(Step::Rollback, &prompt(4), "ann");
    assert_eq!(story.live(), Some(1));
}

#[test]
fn a_rollback_does_not_lead_to_what_sends_the_same_as_what_went_bad() {
    let live = |revisions: &[Prompt]| {
        let mut story = Story::new();
        for one in revisions {
            story.try_step(Step::Live, one, "ann", (None, true)).unwrap();
        }
        story
    };
    // The fourth is the second with another owner.
    let four = Prompt { revision: 4, owner: Some("bob".to_owned()), ..prompt(2) };
    let mut story = live(&[prompt(1), prompt(2), four.clone()]);
    story.step(Step::Rollback, &four, "ann");
    assert_eq!(story.live(), Some(1));
    let mut story = live(&[prompt(1), prompt(2), prompt(3), four.clone()]);
    story.step(Step::Rollback, &four, "ann");
    assert_eq!(story.live(), Some(3));
    story.step(Step::Rollback, &prompt(3), "ann");
    assert_eq!(story.live(), Some(1), "the second sends what the fourth did");
    // Where nothing else was live, its owner is what is gone back to.
    let mut story = live(&[prompt(2), four.clone()]);
    story.step(Step::Rollback, &four, "ann");
    assert_eq!(story.live(), Some(2));
}

#[test]
fn what_is_forced_says_why() {
    let mut story = Story::new();
    story.try_step(Step::Live, &prompt(1), "ann", (None, true)).unwrap();
    assert_eq!((story.live(), story.entries[0].why.as_deref()), (Some(1), Some("urgent")));
    for blank in [None, Some(" ".to_owned())] {
        let signed = Signed { author: "ann".to_owned(), note: blank };
        let step = Move {
            step: Step::Live,
            prompt: &prompt(2),
            live: None,
            known: &[],
            environment: "production",
            signed: &signed,
            effective_at: WHEN,
            evidence: None,
            forced: true,
        };
        assert!(story.ledger.step(&step).unwrap_err().contains("say why"));
    }
}

#[test]
fn a_verdict_opens_only_what_it_is_on() {
    let mut story = Story::new();
    let two = prompt(2);
    story.try_step(Step::Propose, &two, "ann", (None, false)).unwrap();
    story.try_step(Step::Approve, &two, "bob", (None, false)).unwrap();
    let mut live = |evidence: &Evidence| story.take(Step::Live, &two, "ann", Some(evidence), false);
    let older = live(&verdict("pass", &prompt(1))).unwrap_err();
    assert_eq!(older, "the verdict v is on `version:helper@v1`, which is `helper@1`, and not on `helper@2`");
    let other = Prompt { name: "other".to_owned(), ..prompt(2) };
    assert!(live(&verdict("pass", &other)).unwrap_err().contains("which is `other@2`, and not on `helper@2`"));
    let unknown = Evidence { tried: None, ..verdict("pass", &two) };
    assert!(live(&unknown).unwrap_err().contains("is on `version:helper@v2`, and not on `helper@2`"));
    // The third only has another owner.
    let owned = Prompt { revision: 3, owner: Some("bob".to_owned()), ..two.clone() };
    live(&verdict("pass", &owned)).unwrap();
}

#[test]
fn nobody_approves_what_is_their_own() {
    let mut story = Story::new();
    let bobs = Prompt { author: "bob".to_owned(), ..prompt(1) };
    story.step(Step::Propose, &bobs, "ann");
    assert!(story.refused(Step::Approve, &bobs, "bob", None).contains("was recorded by bob"));
    assert!(story.refused(Step::Approve, &bobs, "ann", None).contains("was proposed by ann"));
    story.step(Step::Approve, &bobs, "cleo");
}

#[test]
fn what_is_live_sets_the_bar_for_the_next() {
    let mut story = Story::new();
    // Nothing is live, and still it does not let itself in.
    let free = Prompt { approvals: Some(0), ..prompt(1) };
    assert!(story.refused(Step::Live, &free, "ann", Some("pass")).contains("0 of 1 approvals"));
    let strict = Prompt { approvals: Some(2), reviewers: vec!["bob".to_owned(), "cleo".to_owned()], ..prompt(1) };
    story.try_step(Step::Live, &strict, "ann", (None, true)).unwrap();
    let lax = Prompt { approvals: Some(0), reviewers: vec!["dan".to_owned()], ..prompt(2) };
    story.step(Step::Propose, &lax, "ann");
    assert!(story.refused(Step::Approve, &lax, "dan", None).contains("is reviewed by bob, cleo"));
    story.step(Step::Approve, &lax, "bob");
    assert!(story.refused(Step::Live, &lax, "ann", Some("pass")).contains("1 of 2 approvals"));
    story.step(Step::Approve, &lax, "cleo");
    story.step(Step::Live, &lax, "ann");
    // Now that it is live, its bar holds; and it can be raised.
    story.step(Step::Live, &Prompt { approvals: Some(0), ..prompt(3) }, "ann");
    assert!(story.refused(Step::Live, &prompt(4), "ann", Some("pass")).contains("0 of 1 approvals"));
}

#[test]
fn what_was_rolled_back_needs_new_approvals_and_a_new_verdict() {
    let mut story = Story::new();
    (1..=2).for_each(|revision| story.release(revision));
    let two = prompt(2);
    // The fourth sends the same, and was approved and judged before that went bad.
    let four = Prompt { revision: 4, owner: Some("bob".to_owned()), ..two.clone() };
    story.step(Step::Propose, &four, "ann");
    story.step(Step::Approve, &four, "bob");
    story.step(Step::Rollback, &two, "ann");
    assert!(story.refused(Step::Live, &four, "ann", Some("pass")).contains("0 of 1 approvals"));
    story.step(Step::Propose, &four, "ann");
    story.step(Step::Approve, &four, "bob");
    assert!(story.refused(Step::Live, &four, "ann", Some("pass")).contains("before it was rolled back"));
    assert!(story.refused(Step::Live, &two, "ann", Some("pass")).contains("0 of 1 approvals"));
    story.try_step(Step::Propose, &two, "ann", (None, false)).unwrap();
    story.try_step(Step::Approve, &two, "bob", (None, false)).unwrap();
    assert!(story.refused(Step::Live, &two, "ann", Some("pass")).contains("before it was rolled back"));
    // A revision that sends the same does not get around that.
    let same = Prompt { revision: 3, owner: Some("bob".to_owned()), ..two.clone() };
    story.try_step(Step::Propose, &same, "ann", (None, false)).unwrap();
    story.try_step(Step::Approve, &same, "bob", (None, false)).unwrap();
    let old = verdict("pass", &two);
    assert!(story.take(Step::Live, &same, "ann", Some(&old), false).unwrap_err().contains("before it was rolled back"));
    let new = Evidence { reached_at: "2026-11-20T10:00:01Z".to_owned(), ..old };
    story.take(Step::Live, &two, "ann", Some(&new), false).unwrap();
    assert_eq!(story.live(), Some(2));
}

#[test]
fn what_is_recorded_later_is_not_live_earlier() {
    let mut story = Story::new();
    story.release(1);
    story.now = "2026-11-20T12:00:00+02:30";
    let why = story.try_step(Step::Live, &prompt(2), "ann", (None, true)).unwrap_err();
    assert!(why.contains("`helper@1` is live in production since 2026-11-20T10:00:00Z"), "{why}");
    // A proposal changes nothing of what is live.
    story.step(Step::Propose, &prompt(2), "ann");
    story.now = "2026-11-20T10:00:00.000001Z";
    story.try_step(Step::Live, &prompt(2), "ann", (None, true)).unwrap();
    story.now = WHEN;
    assert!(story.refused(Step::Rollback, &prompt(2), "ann", None).contains("cannot have been before it"));
}

#[test]
fn a_verdict_shows_what_the_prompt_wants() {
    let wants = |thresholds: &str| Prompt { thresholds: Some(thresholds.to_owned()), approvals: Some(0), ..prompt(2) };
    let mut story = Story::new();
    story.try_step(Step::Live, &Prompt { approvals: Some(0), ..prompt(1) }, "ann", (None, true)).unwrap();
    let mut live = |thresholds: &str| story.try_step(Step::Live, &wants(thresholds), "ann", (Some("pass"), false));
    assert!(live(r#"{"right": 0.95}"#).unwrap_err().contains("wants `right` at 0.95, and the verdict v has 0.9"));
    assert!(live(r#"{"polite": 0.5}"#).unwrap_err().contains("says nothing of it"));
    // Written down before thresholds were read.
    assert!(live(r#"{"right": "high"}"#).unwrap_err().contains("threshold `right`"));
    live(r#"{"right": 0.9}"#).unwrap();
}
