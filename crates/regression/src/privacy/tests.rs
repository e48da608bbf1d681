//! What is masked, and what is not.

use serde_json::json;

use super::*;
use crate::oracle::{ask, random};

fn masker() -> Masker {
    Masker::new(&Policy::default()).unwrap()
}

fn masked(text: &str) -> String {
    masker().mask(text, "")
}

#[test]
fn made_up_data_of_many_countries_is_masked() {
    let kinds = ["email", "iban", "card", "ssn", "ip", "phone"];
    let Some(answers) = ask("personal_data", "personal_data.py", &kinds.map(|kind| json!([kind, 20]))) else { return };
    for (kind, values) in kinds.iter().zip(answers) {
        let values: Vec<String> = serde_json::from_value(values).unwrap();
        assert!(values.len() >= 200, "{kind}");
        for value in values {
            for text in [format!("Mine is {value}."), format!("({value})"), format!("\"{value}\", and so on")] {
                let masker = &mut masker();
                let masked = masker.mask(&text, "");
                assert!(
                    !masked.contains(&value) && !masked.contains(|c: char| c.is_ascii_digit() && c != '1'),
                    "{kind}: {text} is {masked}"
                );
                assert_eq!(masker.report().counts, BTreeMap::from([((*kind).to_owned(), 1)]), "{text}");
            }
        }
    }
}

#[test]
fn what_has_a_check_digit_is_masked_only_if_it_is_right() {
    let mut random = random(51);
    // From the standards' and the networks' own examples.
    for (value, kind) in [
        ("GB82 WEST 1234 5698 7654 32", "[IBAN_1]"),
        ("4111 1111 1111 1111", "[CARD_1]"),
        ("378282246310005", "[CARD_1]"),
    ] {
        assert_eq!(masked(&format!("It is {value}, thanks")), format!("It is {kind}, thanks"));
        let places: Vec<usize> =
            value.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).map(|(place, _)| place).collect();
        for _ in 0..20 {
            // Both checks find every single wrong digit.
            let place = places[2 + random(places.len() as u64 - 2) as usize];
            let mut wrong = value.as_bytes().to_vec();
            wrong[place] = b'0' + (wrong[place] - b'0' + 1 + random(9) as u8) % 10;
            let wrong = String::from_utf8(wrong).unwrap();
            let result = masked(&wrong);
            assert!(!result.contains(kind), "{wrong}: {result}");
        }
    }
    assert_eq!(masked("Account de89370400440532013000 is mine"), "Account [IBAN_1] is mine");
    // What stands beside one and looks like a part of it.
    assert_eq!(masked("4111 1111 1111 1111 12/27 123"), "[CARD_1] 12/27 123");
    assert_eq!(masked("order 22 4111-1111-1111-1111 1"), "order 22 [CARD_1] 1");
    assert_eq!(masked("DE89 3704 0044 0532 0130 00 COBADEFF"), "[IBAN_1] COBADEFF");
}

#[test]
fn telephone_numbers_of_many_spellings_are_masked() {
    for number in [
        "+1 (212) 555-0123",
        "(212) 555-0123",
        "212-555-0123",
        "212.555.0123",
        "1-212-555-0123",
        "+44 (0)20 7946 0000",
        "0044 20 7946 0000",
        "(020) 7946 0000",
        "030 123456789",
        "030/1234567",
        "06 12 34 56 78",
        "0171-555 01 23",
        "+4930123456",
        "+81 3-1234-5678",
    ] {
        assert_eq!(masked(&format!("Call {number} today")), "Call [PHONE_1] today", "{number}");
    }
    assert_eq!(masked("Tel.: 5550123"), "Tel.: [PHONE_1]");
    assert_eq!(masked("My mobile is 0612345678"), "My mobile is [PHONE_1]");
    assert_eq!(
        masked("Mein Handy: 0171 5550123; mi teléfono: 22 34 56"),
        "Mein Handy: [PHONE_1]; mi teléfono: [PHONE_2]"
    );
    assert_eq!(masked("Please call us at 31234."), "Please call us at [PHONE_1].");
}

#[test]
fn secrets_are_masked() {
    let long = "Zx81QmN4".repeat(6);
    for (text, expected) in [
        (format!("use sk-proj-{long}"), "use [SECRET_1]".to_owned()),
        (format!("sk-ant-api03-{long}"), "[SECRET_1]".to_owned()),
        ("AKIAIOSFODNN7EXAMPLE".to_owned(), "[SECRET_1]".to_owned()),
        (format!("ghp_{}", &long[..36]), "[SECRET_1]".to_owned()),
        (format!("Authorization: Bearer {long}"), "Authorization: Bearer [SECRET_1]".to_owned()),
        (format!("OPENAI_API_KEY={long}"), "OPENAI_API_KEY=[SECRET_1]".to_owned()),
        ("{\"password\": \"hunter 2\"}".to_owned(), "{\"password\": \"[SECRET_1]\"}".to_owned()),
        ("postgres://app:s3cr3t@db/x".to_owned(), "postgres://[SECRET_1]@db/x".to_owned()),
        (
            format!("-----BEGIN RSA PRIVATE KEY-----\n{long}\n-----END RSA PRIVATE KEY-----\n"),
            "[SECRET_1]\n".to_owned(),
        ),
        (format!("a eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{long} b"), "a [SECRET_1] b".to_owned()),
    ] {
        assert_eq!(masked(&text), expected, "{text}");
    }
}

#[test]
fn what_is_none_of_it_stays() {
    for text in [
        "On 2026-11-20 at 12:30:45.123 we shipped 1,234,567 items for 12.50 EUR (VAT 19 %).",
        "Run 550e8400-e29b-41d4-a716-446655440000 took 1789412345678901234 ns.",
        "Call of 05/11/2026 10:20, order 10021234567, shelf 7, ISBN 978-3-16-148410-0.",
        "git 9cfbb21f0a3e4d5b6c7d8e9f0a1b2c3d4e5f6a7b; version 1.2.3; Rust's std::fs and a::b; localhost 127.0.0.1 and ::1",
        "max_tokens: 4096, input_tokens=120000, the token limit: high, tokens: 12345678",
        "The secret of a good soup is time. Passwords matter: choose well.",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7, 3.14159265358979, 100000000000, 0.0123456789",
        "# Heading\n| a | b |\n| --- | --- |\n| 10 | 20 |\n12:34:56 → 13:00",
    ] {
        let mut masker = masker();
        assert_eq!(masker.mask(text, ""), text, "{:?}", masker.report());
    }
}

#[test]
fn equal_values_get_equal_placeholders_and_others_others() {
    let mut masker = masker();
    let first = masker.mask("From ann@example.org to bob@example.org", "1");
    assert_eq!(first, "From [EMAIL_1] to [EMAIL_2]");
    assert_eq!(masker.mask("bob@example.org, cy@example.org", "2"), "[EMAIL_2], [EMAIL_3]");
    let with_key = |key: &str, text: &str| self::masker().keyed(key).mask(text, "");
    let (alone, after) = (with_key("a", "bob@example.org"), with_key("a", "ann@example.org bob@example.org"));
    assert!(after.ends_with(&alone) && alone.starts_with("[EMAIL_"), "{after}");
    assert_ne!(with_key("b", "bob@example.org"), alone);
    assert_eq!(
        placeholders(&format!("to {alone} [x] [EMAIL_1], [[CARD_2]")).collect::<Vec<_>>(),
        [&alone, "[EMAIL_1]", "[CARD_2]"]
    );
}

#[test]
fn the_report_says_what_and_where_and_never_the_value() {
    let mut masker = masker();
    let mut value = json!({
        "messages": [{ "content": "I am ann@example.org" }, { "content": "Card 4111111111111111" }],
        "ann@example.org": { "api_key": "short", "apiKey": "short", "n": 4_111_111_111_111_111_u64, "ok": 12, "password": 271_828 }
    });
    masker.mask_json(&mut value, "case-1");
    assert_eq!(
        value,
        json!({
            "messages": [{ "content": "I am [EMAIL_1]" }, { "content": "Card [CARD_1]" }],
            "[EMAIL_1]": { "api_key": "[SECRET_1]", "apiKey": "[SECRET_1]", "n": "[CARD_1]", "ok": 12, "password": "[SECRET_2]" }
        })
    );
    let report = masker.report();
    let counts = [("card", 2), ("email", 2), ("secret", 3)].map(|(kind, count)| (kind.to_owned(), count));
    assert_eq!(report.counts, BTreeMap::from(counts));
    assert!(
        report.masked.iter().any(|masked| masked.kind == Kind::Card && masked.place == "case-1/messages/1/content")
    );
    let written = serde_json::to_string(report).unwrap();
    for value in ["ann@", "4111", "short", "271828"] {
        assert!(!written.contains(value), "{written}");
    }
}

#[test]
fn own_patterns_are_masked_and_allowed_values_are_not() {
    let policy = Policy {
        patterns: BTreeMap::from([("customer".to_owned(), r"customer (C-\d+)".to_owned())]),
        allow: vec!["Help@Example.com".to_owned()],
        allow_patterns: vec![r".*@example\.org".to_owned()],
        except: vec![Kind::Ip],
        ..Policy::default()
    };
    let mut masker = Masker::new(&policy).unwrap();
    assert_eq!(
        masker.mask("customer C-77 wrote help@example.com, ann@example.org, ann@example.orgs from 203.0.113.9", ""),
        "customer [CUSTOMER_1] wrote help@example.com, ann@example.org, [EMAIL_1] from 203.0.113.9"
    );
    let wrong = Policy { patterns: BTreeMap::from([("x".to_owned(), "(".to_owned())]), ..Policy::default() };
    assert!(Masker::new(&wrong).err().unwrap().to_string().starts_with("pattern `x` is not a regular expression"));
}

#[test]
fn masking_again_changes_nothing() {
    let text = "password: hunter2x, api_key='abc123def', a@b.de, +49 30 1234567, 4111-1111-1111-1111, 2001:db8::7:1, 203.0.113.9, 078-05-1120";
    let once = masked(text);
    assert_eq!(masked(&once), once);
    assert_eq!(once.matches('[').count(), 8, "{once}");
}

#[test]
fn what_stands_close_together_is_masked() {
    assert_eq!(masked("ann@example.org+49 30 1234567"), "[EMAIL_1][PHONE_1]");
}

#[test]
fn any_text_is_masked_without_a_panic() {
    const PIECES: [&str; 20] = [
        "+",
        "0",
        "4111",
        " ",
        "-",
        "@",
        "é",
        "a.b",
        "::",
        "🌱",
        "DE89",
        "ü@ü.de",
        ":",
        "password=",
        "\"",
        "eyJ",
        "(",
        ")",
        "1.2.3.4",
        "\n",
    ];
    let mut random = random(52);
    for _ in 0..3000 {
        let text: String = (0..random(24)).map(|_| PIECES[random(20) as usize]).collect();
        let once = masked(&text);
        assert!(!once.contains("ü@ü.de"), "{text}: {once}");
    }
}

#[test]
fn what_was_masked_is_put_back_and_other_placeholders_stay() {
    let mut masker = masker();
    let masked = masker.mask("Write to ann@example.org or bob@example.org.", "");
    assert_eq!(masked, "Write to [EMAIL_1] or [EMAIL_2].");
    assert_eq!(
        masker.restore("[EMAIL_2], not [EMAIL_1] nor [EMAIL_3]"),
        "bob@example.org, not ann@example.org nor [EMAIL_3]"
    );
    let mut calls = json!([{"to": "[EMAIL_1]", "copies": 2, "cc": ["[EMAIL_2]", null]}]);
    masker.restore_json(&mut calls);
    assert_eq!(calls, json!([{"to": "ann@example.org", "copies": 2, "cc": ["bob@example.org", null]}]));
}

#[test]
fn a_placeholder_that_was_there_before_stands_for_nobody_else() {
    let mut masker = masker();
    assert_eq!(masker.mask("[EMAIL_1] wrote to ann@example.org", ""), "[EMAIL_1] wrote to [EMAIL_2]");
    assert_eq!(masker.restore("[EMAIL_1] and [EMAIL_2]"), "[EMAIL_1] and ann@example.org");
    // What comes too late to be told apart is not put back.
    assert_eq!(masker.mask("[EMAIL_2]?", ""), "[EMAIL_2]?");
    assert_eq!(masker.restore("[EMAIL_2]"), "[EMAIL_2]");
}

#[test]
fn images_stay_as_they_are_and_nothing_hides_as_one() {
    let bytes = "+4917012345671/".repeat(20);
    let mut masker = masker();
    let sent = json!([{"url": format!("data:image/png;base64,{bytes}")}, {"data": bytes}]);
    let mut masked = sent.clone();
    masker.mask_json(&mut masked, "");
    assert_eq!(masked, sent);
    for hidden in [format!("data:ann@example.org;base64,{bytes}"), format!("data:;base64,ann@example.org{bytes}")] {
        let mut value = json!(hidden);
        masker.mask_json(&mut value, "");
        assert!(!value.as_str().unwrap().contains("ann@"), "{value}");
    }
    let mut short = json!("data:image/png;base64,+4917012345671/");
    masker.mask_json(&mut short, "");
    assert_eq!(short, json!("data:image/png;base64,[PHONE_1]/"));
}
