//! A structural scanner over JSON text: finds members and elements as slices of the text, builds nothing.
//!
//! Messages are stored as the bytes they were sent as, so all that is needed is where they begin and end. The
//! scanner knows brackets and strings; numbers and literals it takes on trust. It never recurses, never panics,
//! and answers the whole part of a text that breaks off.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Brackets may nest this deep; what goes beyond counts as malformed.
const MAX_DEPTH: u32 = 128;

/// How a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With its last bracket or quote.
    Complete,
    /// Before it: the text breaks off.
    Truncated,
    /// Brackets do not match, or something follows the value.
    Malformed,
}

/// The members of the object `text`; none when it is no object. Members that break off are left out.
pub(crate) fn members(text: &str) -> Members<'_> {
    Members { scan: Scan::open(text, b'{', b'}') }
}

/// The elements of the array `text`; none when it is no array. Elements that break off are left out.
pub(crate) fn elements(text: &str) -> Elements<'_> {
    Elements { scan: Scan::open(text, b'[', b']') }
}

/// The text of the JSON string `raw`, or `None` when it is none.
pub(crate) fn string(raw: &str) -> Option<Cow<'_, str>> {
    let raw = raw.trim_ascii();
    Some(unescape(raw.strip_prefix('"')?.strip_suffix('"').filter(|_| raw.len() > 1)?))
}

/// The raw value at `path` inside `text`.
pub(crate) fn get<'a>(text: &'a str, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(text, |text, name| members(text).find(|(key, _)| key == name).map(|(_, raw)| raw))
}

/// Whether `text` is one whole value.
pub(crate) fn is_complete(text: &str) -> bool {
    end(text) == End::Complete
}

/// How the value `text` ends.
pub(crate) fn end(text: &str) -> End {
    let bytes = text.as_bytes();
    match value_end(bytes, skip_space(bytes, 0)) {
        Ok(at) if skip_space(bytes, at) == bytes.len() => End::Complete,
        Ok(_) => End::Malformed,
        Err(end) => end,
    }
}

/// Where the object or string that starts at `start` ends, if its brackets nest no deeper than inside an array they
/// may. `None` when there is neither.
pub(crate) fn element_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(start)? {
        b'"' => string_end(bytes, start).ok(),
        b'{' => container_end(bytes, start, MAX_DEPTH - 1).ok(),
        _ => None,
    }
}

/// `text` without the white space between its tokens.
pub(crate) fn minify(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(quote) = memchr(b'"', rest.as_bytes()) {
        let close = string_end(rest.as_bytes(), quote).unwrap_or(rest.len());
        out.extend(rest[..quote].split_ascii_whitespace());
        out.push_str(&rest[quote..close]);
        rest = &rest[close..];
    }
    out.extend(rest.split_ascii_whitespace());
}

/// What the inside of a JSON string stands for. Half a surrogate pair becomes U+FFFD, a broken escape its letter.
pub(crate) fn unescape(inside: &str) -> Cow<'_, str> {
    let Some(first) = memchr(b'\\', inside.as_bytes()) else {
        return Cow::Borrowed(inside);
    };
    let mut out = String::with_capacity(inside.len());
    out.push_str(&inside[..first]);
    let mut rest = &inside[first..];
    while let Some(escaped) = rest.strip_prefix('\\') {
        rest = unescape_one(escaped, &mut out);
        let plain = memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(out)
}

/// Reads one escape after its backslash and returns what follows it.
fn unescape_one<'a>(escaped: &'a str, out: &mut String) -> &'a str {
    let mut chars = escaped.chars();
    match chars.next() {
        None => {}
        Some('n') => out.push('\n'),
        Some('t') => out.push('\t'),
        Some('r') => out.push('\r'),
        Some('b') => out.push('\u{8}'),
        Some('f') => out.push('\u{c}'),
        Some('u') => {
            let rest = chars.as_str();
            let Some(unit) = hex4(rest) else {
                out.push(char::REPLACEMENT_CHARACTER);
                return rest;
            };
            let low = rest[4..].strip_prefix("\\u").and_then(hex4);
            if let (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) = (unit, low) {
                let pair = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                out.push(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
                return &rest[10..];
            }
            out.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
            return &rest[4..];
        }
        Some(other) => out.push(other),
    }
    chars.as_str()
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Iterates the members of an object: the key, and the value as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    scan: Scan<'a>,
}

#[cfg(test)]
impl Members<'_> {
    /// Whether the object ended well; known once the members were iterated.
    pub(crate) fn complete(&self) -> bool {
        self.scan.end == Some(End::Complete)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let key = self.scan.item()?;
        let Some(key) = string(key) else { return self.scan.fail(End::Malformed) };
        let value = self.scan.after_colon()?;
        Some((key, value))
    }
}

/// Iterates the elements of an array as they stand.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    scan: Scan<'a>,
}

#[cfg(test)]
impl Elements<'_> {
    /// Whether the array ended well; known once the elements were iterated.
    pub(crate) fn complete(&self) -> bool {
        self.scan.end == Some(End::Complete)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.scan.item()
    }
}

/// What both iterators share: a position between the items of a container.
#[derive(Clone, Debug)]
struct Scan<'a> {
    text: &'a str,
    at: usize,
    close: u8,
    first: bool,
    end: Option<End>,
}

impl<'a> Scan<'a> {
    fn open(text: &'a str, open: u8, close: u8) -> Self {
        let at = skip_space(text.as_bytes(), 0);
        let end = match text.as_bytes().get(at) {
            Some(byte) if *byte == open => None,
            Some(_) => Some(End::Malformed),
            None => Some(End::Truncated),
        };
        Self { text, at: at + 1, close, first: true, end }
    }

    fn fail<T>(&mut self, end: End) -> Option<T> {
        self.end = Some(end);
        None
    }

    /// The next item, or the end.
    fn item(&mut self) -> Option<&'a str> {
        if self.end.is_some() {
            return None;
        }
        let bytes = self.text.as_bytes();
        self.at = skip_space(bytes, self.at);
        match bytes.get(self.at) {
            None => return self.fail(End::Truncated),
            Some(byte) if *byte == self.close => {
                let trailing = skip_space(bytes, self.at + 1) < bytes.len();
                return self.fail(if trailing { End::Malformed } else { End::Complete });
            }
            Some(b',') if !self.first => self.at = skip_space(bytes, self.at + 1),
            Some(_) if !self.first => return self.fail(End::Malformed),
            Some(_) => {}
        }
        self.first = false;
        self.value()
    }

    fn after_colon(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        self.at = skip_space(bytes, self.at);
        match bytes.get(self.at) {
            None => return self.fail(End::Truncated),
            Some(b':') => self.at = skip_space(bytes, self.at + 1),
            Some(_) => return self.fail(End::Malformed),
        }
        self.value()
    }

    fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        match value_end(self.text.as_bytes(), start) {
            // Without a bracket after it, a number may be cut.
            Ok(end) if end == self.text.len() => self.fail(End::Truncated),
            Ok(end) => {
                self.at = end;
                Some(&self.text[start..end])
            }
            Err(end) => self.fail(end),
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Where the value that starts at `at` ends.
fn value_end(bytes: &[u8], at: usize) -> Result<usize, End> {
    match bytes.get(at) {
        None => Err(End::Truncated),
        Some(b'"') => string_end(bytes, at),
        Some(b'{' | b'[') => container_end(bytes, at, MAX_DEPTH),
        Some(b'}' | b']' | b',' | b':') => Err(End::Malformed),
        Some(_) => {
            let stops = |byte: &u8| {
                matches!(byte, b',' | b':' | b'{' | b'}' | b'[' | b']' | b'"' | b' ' | b'\n' | b'\r' | b'\t')
            };
            Ok(bytes[at..].iter().position(stops).map_or(bytes.len(), |length| at + length))
        }
    }
}

fn string_end(bytes: &[u8], quote: usize) -> Result<usize, End> {
    let mut at = quote + 1;
    loop {
        at = quote_or_backslash(bytes, at).ok_or(End::Truncated)?;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at += 2;
    }
}

/// Where the first quote or backslash from `at` on stands. Keys and words are short, so the start is looked at here.
fn quote_or_backslash(bytes: &[u8], at: usize) -> Option<usize> {
    /// In each zero byte of a word the highest bit; what stands above the first zero byte says nothing.
    fn zeros(word: u64) -> u64 {
        word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080
    }
    let rest = bytes.get(at..)?;
    if let Some(start) = rest.first_chunk() {
        let word = u64::from_le_bytes(*start);
        let found = zeros(word ^ u64::from_le_bytes([b'"'; 8])) | zeros(word ^ u64::from_le_bytes([b'\\'; 8]));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
    }
    memchr2(b'"', b'\\', rest).map(|found| at + found)
}

fn container_end(bytes: &[u8], mut at: usize, max_depth: u32) -> Result<usize, End> {
    // One bit a level, the innermost lowest: set for an object.
    let (mut levels, mut depth) = (0_u128, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at)?;
                continue;
            }
            b'{' | b'[' if depth == max_depth => return Err(End::Malformed),
            b'{' | b'[' => {
                levels = levels << 1 | u128::from(byte == b'{');
                depth += 1;
            }
            b'}' | b']' if (levels & 1 == 1) != (byte == b'}') => return Err(End::Malformed),
            b'}' | b']' if depth == 1 => return Ok(at + 1),
            b'}' | b']' => {
                levels >>= 1;
                depth -= 1;
            }
            _ => {}
        }
        at += 1;
    }
    Err(End::Truncated)
}

#[cfg(test)]
mod tests;
