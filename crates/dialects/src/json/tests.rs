use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        r#"[\\"{}\[\],: é😀]{0,12}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Compact, pretty, and compact with every non-ASCII character as an escape.
fn renderings(value: &Value) -> [String; 3] {
    let compact = value.to_string();
    let mut ascii = String::new();
    for character in compact.chars() {
        match character {
            ' '..='~' => ascii.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    [compact, serde_json::to_string_pretty(value).expect("a value renders"), ascii]
}

/// Rebuilds a value through the scanner; scalars are left to the other parser.
fn scan(text: &str) -> Value {
    let text = text.trim();
    if text.starts_with('{') {
        let mut members = members(text);
        let map = members.by_ref().map(|(key, raw)| (key.into_owned(), scan(raw))).collect();
        assert!(members.complete(), "{text}");
        Value::Object(map)
    } else if text.starts_with('[') {
        let mut elements = elements(text);
        let list = elements.by_ref().map(scan).collect();
        assert!(elements.complete(), "{text}");
        Value::Array(list)
    } else if let Some(text) = string(text) {
        Value::from(text)
    } else {
        serde_json::from_str(text).expect("a scalar")
    }
}

proptest! {
    #[test]
    fn the_first_quote_or_backslash_is_found(
        bytes in prop::collection::vec(prop::sample::select(&b"\"\\!#[]\x00\x01\x80\xa2\xdc\xffaaaaaaaaaaaaaaa"[..]), 0..40),
        from in 0..45_usize,
    ) {
        let found = bytes.iter().skip(from).position(|byte| matches!(byte, b'"' | b'\\'));
        prop_assert_eq!(quote_or_backslash(&bytes, from), found.map(|found| from + found));
    }

    #[test]
    fn the_scanner_reads_what_another_parser_wrote(value in value()) {
        for text in renderings(&value) {
            prop_assert!(is_complete(&text));
            prop_assert_eq!(&scan(&text), &value, "{}", text);
            let mut minified = String::new();
            minify(&text, &mut minified);
            prop_assert_eq!(scan(&minified), serde_json::from_str::<Value>(&minified).expect("still json"));
        }
    }

    #[test]
    fn any_text_is_survived(text in r#"[\\"{}\[\],:u0d8a é\n]{0,40}"#) {
        members(&text).for_each(drop);
        elements(&text).for_each(drop);
        string(&text);
        unescape(&text);
        minify(&text, &mut String::new());
    }
}

#[test]
fn every_truncation_yields_whole_items_and_says_that_it_breaks_off() {
    let text = r#"[{"role":"user","parts":[{"content":"a \"b\" ] é 😀"}]}, {"n": 12}, "x", 12]"#;
    let whole: Vec<&str> = elements(text).collect();
    assert_eq!(whole.len(), 4);
    for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
        let mut part = elements(&text[..cut]);
        let found: Vec<&str> = part.by_ref().collect();
        assert!(!part.complete());
        assert_eq!(end(&text[..cut]), End::Truncated, "{}", &text[..cut]);
        assert_eq!(found, whole[..found.len()]);
    }
}

#[test]
fn strings_are_unescaped() {
    assert_eq!(string(r#""a\n\u00e9\ud83d\ude00\/\"""#).as_deref(), Some("a\né😀/\""));
    assert_eq!(string(r#""\ud83d!\udc00\ud83d""#).as_deref(), Some("\u{fffd}!\u{fffd}\u{fffd}"));
    assert_eq!(string(r#""plain""#), Some(Cow::Borrowed("plain")));
    assert_eq!([string("\""), string("plain"), string("\"cut")], [None, None, None]);
}

#[test]
fn a_path_leads_to_a_raw_value() {
    let text = r#"{"a": {"b" : [1, 2]}, "c\u0064": 3}"#;
    assert_eq!(get(text, &["a", "b"]), Some("[1, 2]"));
    assert_eq!(get(text, &["cd"]), Some("3"));
    assert_eq!(get(text, &["a", "x"]), None);
}

#[test]
fn nesting_is_limited() {
    assert!(is_complete(&format!("{}{}", "[".repeat(128), "]".repeat(128))));
    assert_eq!(end(&format!("{}{}", "[".repeat(129), "]".repeat(129))), End::Malformed);
    assert_eq!(end("[1}"), End::Malformed);
    assert_eq!(end("[1] 2"), End::Malformed);
}
