//! A verdict as JUnit XML, which build servers read: a test case for each finding.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use tracewell_blocks::{Look, terminal, tidy};

use super::{Decision, Verdict, page};

const COLUMNS: usize = 120;

/// Writes a verdict. What fails is a failure; what could not be decided is an error, so that no build server takes it
/// for a pass. The whole verdict goes along as text.
///
/// # Errors
/// When the XML cannot be written.
pub fn junit(verdict: &Verdict) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(clean(&format!("{} on {}", verdict.gate, verdict.dataset)));
    for finding in &verdict.findings {
        let kind = match finding.decision {
            Decision::Pass => None,
            Decision::Fail => Some(NonSuccessKind::Failure),
            Decision::NotEnoughEvidence => Some(NonSuccessKind::Error),
        };
        let mut status = kind.map_or_else(TestCaseStatus::success, TestCaseStatus::non_success);
        status.set_message(clean(&finding.why)).set_type(finding.decision.to_string());
        let mut case = TestCase::new(clean(&format!("{} {}", finding.about, finding.rule)), status);
        case.set_classname(clean(&format!("{}.{}", verdict.gate, finding.about)));
        suite.add_test_case(case);
    }
    suite.set_system_out(clean(&terminal(&page(verdict), Look { width: COLUMNS, color: false })));
    let mut report = Report::new(clean(&verdict.gate));
    report.add_test_suite(suite);
    report.to_string()
}

/// `text` without what XML cannot hold.
fn clean(text: &str) -> String {
    tidy(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
