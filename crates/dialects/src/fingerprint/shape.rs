//! The shape of a prompt: what of its text does not vary per call.

/// The text with numbers, dates, times and ids masked, so that a prompt that names today keeps its shape.
pub(super) fn shape(text: &str) -> String {
    let mut shape = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, odd) = rest.split_at(plain_length(rest.as_bytes()));
        shape.push_str(plain);
        rest = mask_word(odd, &mut shape);
    }
    shape
}

/// The length of the words that `text` starts with and that hold no number and cannot be ids.
fn plain_length(text: &[u8]) -> usize {
    const FIRST_OF_UUID: usize = 8;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte.is_ascii_digit() || *byte == b'-') {
        let at = from + at;
        let letters = text[..at].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        if text[at] != b'-' || letters == FIRST_OF_UUID {
            return at - letters;
        }
        from = at + 1;
    }
    text.len()
}

/// Masks the word that `text` starts with, and returns what follows it.
fn mask_word<'t>(text: &'t str, shape: &mut String) -> &'t str {
    let mut rest = text;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        let id = if in_word { 0 } else { id_length(rest.as_bytes()) };
        let masked = if id > 0 { id } else { number_length(rest.as_bytes()) };
        let taken = if masked > 0 { masked } else { first.len_utf8() };
        shape.push(if masked > 0 { '#' } else { first });
        in_word = first.is_ascii_alphanumeric();
        rest = &rest[taken..];
        if !in_word {
            break;
        }
    }
    rest
}

/// The length of the UUID, or hexadecimal id of eight digits or more, that `text` starts with.
fn id_length(text: &[u8]) -> usize {
    const UUID: usize = 36;
    let is_uuid = text.len() >= UUID
        && text[..UUID].iter().enumerate().all(|(i, byte)| match i {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_uuid {
        return UUID;
    }
    let word = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let is_id =
        word >= 8 && text[..word].iter().all(u8::is_ascii_hexdigit) && text[..word].iter().any(u8::is_ascii_digit);
    if is_id { word } else { 0 }
}

/// The length of the number, date or time that `text` starts with: digits, and what joins digits.
fn number_length(text: &[u8]) -> usize {
    let mut end = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    while end > 0
        && matches!(text.get(end), Some(b'-' | b':' | b'.' | b',' | b'/' | b'T' | b'+'))
        && text.get(end + 1).is_some_and(u8::is_ascii_digit)
    {
        end += 1;
        end += text[end..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    // `10:15Z`
    end + usize::from(end > 0 && text.get(end) == Some(&b'Z'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_shape_hides_what_varies_per_call() {
        for (text, masked) in [
            ("Today is 2026-01-15.", "Today is #."),
            ("at 2026-01-15T10:00:00.123Z, id 550e8400-e29b-41d4-a716-446655440000", "at #, id #"),
            ("order 4f2a90bc, SKU BL-42, 3.14 of 1,000", "order #, SKU BL-#, # of #"),
            ("deadbeef é 7", "deadbeef é #"),
        ] {
            assert_eq!(shape(text), masked);
        }
    }

    proptest! {
        #[test]
        fn plain_words_need_no_mask(text in "([a-f]{8}-?|550e8400-e29b-41d4-a716-|446655440000|[a-z0-9]{1,9}|[ .,:T+Zé-]|[0-9]{1,4}){0,24}") {
            // Word by word, without leaping over any.
            let (mut masked, mut rest) = (String::new(), text.as_str());
            while !rest.is_empty() {
                rest = mask_word(rest, &mut masked);
            }
            prop_assert_eq!(shape(&text), masked);
        }
    }
}
