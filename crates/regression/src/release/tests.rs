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
    }
}

struct Story {
    ledger: Ledger,
    entries: Vec<Entry>,
}

impl Story {
    fn new() -> Self {
        Self { ledger: Ledger::default(), entries: Vec::new() }
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
        let step = Move {
            step,
            prompt,
            environment: "production",
            signed: &signed,
            effective_at: WHEN,
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
    assert!(story.refused(Step::Rollback, &one, "ann", None).contains("nothing of `helper` was live"));
}

#[test]
fn reviewers_and_their_number_are_held() {
    let mut story = Story::new();
    let two = Prompt { reviewers: vec!["bob".to_owned(), "cleo".to_owned()], approvals: Some(2), ..prompt(1) };
    story.step(Step::Propose, &two, "ann");
    assert!(story.refused(Step::Approve, &two, "dan", None).contains("no reviewer"));
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
    story.release(4);
    story.step(Step::Rollback, &prompt(4), "ann");
    assert_eq!(story.live(), Some(1));
}

#[test]
fn what_is_forced_says_why() {
    let mut story = Story::new();
    story.try_step(Step::Live, &prompt(1), "ann", (None, true)).unwrap();
    assert_eq!((story.live(), story.entries[0].why.as_deref()), (Some(1), Some("urgent")));
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
