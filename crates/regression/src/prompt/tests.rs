use super::*;

fn signed() -> Signed {
    Signed { author: "ann".to_owned(), note: None }
}

fn next(text: &str, last: Option<&Prompt>) -> Option<Prompt> {
    PromptFile::parse("team/helper.toml", text).unwrap().next(last, &signed(), &Origin::default())
}

const FIRST: &str = "[parameters]\ntemperature = 0\n[[message]]\nrole = 'system'\ncontent = 'You help {{ customer }} and {{- customer }} on {{ day.name | upper }}.'\n";

#[test]
fn a_revision_comes_with_a_change_and_says_of_what_class_it_is() {
    let first = next(FIRST, None).unwrap();
    assert_eq!((first.name.as_str(), first.revision, first.version.as_str()), ("team/helper", 1, "1"));
    assert_eq!(first.variables, ["customer", "day.name"]);
    assert_eq!(first.changes(None), ["content", "routing", "policy"]);
    assert_eq!(next(FIRST, Some(&first)), None);

    let warmer = next(&FIRST.replace("= 0", "= 1"), Some(&first)).unwrap();
    assert_eq!((warmer.revision, warmer.changes(Some(&first))), (2, vec!["routing".to_owned()]));
    let kinder = next(&FIRST.replace("help", "kindly help"), Some(&warmer)).unwrap();
    assert_eq!(kinder.changes(Some(&warmer)), ["content", "routing"]);
    let bound = next(&format!("[policy]\ntool_choice = 'none'\n{FIRST}"), Some(&first)).unwrap();
    assert_eq!(bound.changes(Some(&first)), ["policy"]);
    let owned = next(&format!("owner = 'bob'\n{FIRST}"), Some(&first)).unwrap();
    assert_eq!((owned.changes(Some(&first)).len(), owned.revision), (0, 2));
}

#[test]
fn a_text_is_instructions() {
    let file = PromptFile::parse("helper.md", "You help.\n").unwrap();
    assert_eq!(file.messages, [Template { role: "system".to_owned(), content: "You help.".to_owned() }]);
    assert!(PromptFile::parse("helper.md", "\n").unwrap_err().contains("no text"));
    assert!(PromptFile::parse("helper.toml", "owner = 'ann'\n").unwrap_err().contains("no text"));
    assert!(PromptFile::parse("helper.toml", "modell = 1\n").is_err());
    assert!(PromptFile::parse("a b.md", "x").is_err());
}

#[test]
fn what_governs_a_release_is_shown_and_compared() {
    let strict = format!("owner = 'ann'\nreviewers = ['bob']\napprovals = 2\nthresholds = {{ right = 0.9 }}\n{FIRST}");
    let strict = next(&strict, None).unwrap();
    let whole = strict.whole();
    assert_eq!(
        [&whole["owner"], &whole["reviewers"], &whole["approvals"], &whole["thresholds"], &whole["author"]],
        [&json!("ann"), &json!(["bob"]), &json!(2), &json!({"right": 0.9}), &json!("ann")]
    );
    let lax = format!("owner = 'ann'\nreviewers = ['bob']\napprovals = 1\n{FIRST}");
    let lax = next(&lax, Some(&strict)).unwrap();
    assert_eq!(
        (lax.changes(Some(&strict)).len(), lax.governance(&strict)),
        (0, vec!["approvals".to_owned(), "thresholds".to_owned()])
    );
    let wrong = PromptFile::parse("helper.toml", &format!("thresholds = {{ right = 'high' }}\n{FIRST}")).unwrap_err();
    assert!(wrong.contains("threshold `right` is \"high\""), "{wrong}");
    for version in ["", " 1", "1@2"] {
        let wrong = PromptFile::parse("helper.toml", &format!("version = '{version}'\n{FIRST}")).unwrap_err();
        assert!(wrong.starts_with(&format!("`{version}` is no version")), "{wrong}");
    }
}

#[test]
fn a_workflow_goes_by_its_versions() {
    let flow =
        |version: &str, last: Option<&Prompt>| next(&format!("kind = 'workflow'\nversion = '{version}'\n"), last);
    let first = flow("1.4", None).unwrap();
    assert_eq!((first.kind, first.messages()), (Kind::Workflow, vec![]));
    assert_eq!(flow("1.4", Some(&first)), None);
    let second = flow("1.5", Some(&first)).unwrap();
    assert_eq!((second.revision, second.changes(Some(&first))), (2, vec!["content".to_owned()]));
}
