//! A verdict as people read it.

use tracewell_blocks::Block;

use super::decide::figure;
use super::{Change, Finding, Verdict};

/// How many changed examples are listed, each way, and of how many is shown in what their answers differ.
const MOST_CHANGES: usize = 50;
const MOST_DIFFERENCES: usize = 10;

/// Tells a verdict.
#[must_use]
pub fn page(verdict: &Verdict) -> Vec<Block> {
    let heading = |text: &str| Block::Heading(2, text.to_owned());
    let mut blocks = vec![Block::Heading(1, format!("{}: {}", verdict.gate, verdict.decision)), facts(verdict)];
    blocks.extend([heading("What has to hold"), findings(&verdict.findings)]);
    if verdict.findings.iter().any(|finding| finding.measured.is_some()) {
        blocks.extend([heading("Compared with the baseline"), comparisons(&verdict.findings)]);
        if verdict.findings.iter().any(|finding| finding.measured.is_some() && finding.missing > 0) {
            blocks.push(Block::Note("What is missing counts here as it would serve the candidate best.".to_owned()));
        }
    }
    let (broke, mended): (Vec<&Change>, Vec<&Change>) = verdict.changes.iter().partition(|change| change.broke());
    for (title, changed) in [("Worse than before", &broke), ("Better than before", &mended)] {
        if !changed.is_empty() {
            blocks.extend([heading(title), changes(changed)]);
        }
        if changed.len() > MOST_CHANGES {
            blocks.push(Block::Note(format!("and {} more", changed.len() - MOST_CHANGES)));
        }
    }
    blocks.extend(differences(&broke));
    if !verdict.flaky.is_empty() {
        let rows = verdict
            .flaky
            .iter()
            .map(|case| vec![case.example.clone(), case.until.to_string(), case.reason.clone().unwrap_or_default()]);
        let table = Block::table(vec!["example", "until", "why"], rows.collect());
        blocks.extend([heading("Left out as flaky"), table]);
    }
    blocks.extend(verdict.notes.iter().cloned().map(Block::Note));
    blocks
}

fn facts(verdict: &Verdict) -> Block {
    let mut facts = vec![("decision", verdict.decision.to_string()), ("dataset", verdict.dataset.clone())];
    let contender = |name: &String, version: &Option<String>| match version {
        // The version is in the name already, as in `version:refund-helper@13`.
        Some(version) if !name.ends_with(version.as_str()) => format!("{name}, which is {version}"),
        _ => name.clone(),
    };
    let baseline = verdict.baseline.as_ref().map(|name| ("baseline", contender(name, &verdict.baseline_version)));
    facts.extend(baseline);
    facts.push(("candidate", contender(&verdict.candidate, &verdict.candidate_version)));
    let times = if verdict.repetitions == 1 { String::new() } else { format!(", {} times each", verdict.repetitions) };
    facts.push(("examples", format!("{}{times}", verdict.examples)));
    facts.extend(verdict.verdict.clone().map(|id| ("verdict", id)));
    Block::Facts(facts)
}

fn findings(findings: &[Finding]) -> Block {
    let row = |finding: &Finding| {
        [finding.decision.to_string(), finding.about.clone(), finding.rule.clone(), finding.why.clone()].to_vec()
    };
    Block::table(vec!["decision", "of", "rule", "why"], findings.iter().map(row).collect())
}

fn comparisons(findings: &[Finding]) -> Block {
    let rows = findings.iter().filter_map(|finding| {
        let measured = finding.measured.as_ref()?;
        let mean = |mean: Option<f64>| mean.map_or_else(|| "no results".to_owned(), figure);
        let p = |p: f64| match measured.compares() {
            true if p < 0.0001 => "<0.0001".to_owned(),
            true => format!("{p:.4}"),
            false => String::new(),
        };
        let bound = |bound: Option<f64>| bound.map(|bound| format!("{bound:+.3}")).unwrap_or_default();
        Some(vec![
            finding.about.clone(),
            finding.rule.clone(),
            finding.examples.to_string(),
            mean(measured.baseline),
            mean(measured.candidate),
            bound(measured.low),
            bound(measured.high),
            p(measured.p_pass),
            p(measured.p_fail_corrected),
            measured.mcnemar.map(p).unwrap_or_default(),
        ])
    });
    let heads =
        vec!["of", "rule", "n", "baseline", "candidate", "at least", "at most", "p pass", "p fail", "McNemar mid-p"];
    Block::table(heads, rows.collect())
}

fn changes(changes: &[&Change]) -> Block {
    let rows = changes.iter().take(MOST_CHANGES).map(|change| {
        let (from, to) = (format!("{:.2}", change.from), format!("{:.2}", change.to));
        vec![change.example.clone(), change.scorer.clone(), from, to, change.explanation.clone()]
    });
    Block::table(vec!["example", "scorer", "before", "now", "found"], rows.collect())
}

fn differences(broke: &[&Change]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for change in broke.iter().filter(|change| !change.difference.is_empty()).take(MOST_DIFFERENCES) {
        blocks.push(Block::Heading(3, format!("{} · {}", change.example, change.scorer)));
        blocks.push(Block::Difference(change.difference.clone()));
    }
    if !blocks.is_empty() {
        blocks.insert(0, Block::Heading(2, "In what the answers differ".to_owned()));
    }
    blocks
}
