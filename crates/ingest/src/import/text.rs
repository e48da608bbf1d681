//! The objects in a text of JSON, one a line or each over many lines, with what breaks off or is none told apart.

use std::io::{BufRead, Read};

/// An object larger than this is refused.
const MOST: u64 = 1 << 30;

/// Finds the objects of a text, line by line: each byte is looked at once.
pub(super) struct Objects<R> {
    reader: R,
    line: Vec<u8>,
    /// The number of `line`, from 1.
    number: u64,
    /// Whether `line` is still to be looked at.
    waiting: bool,
}

/// An object, or what stands where one should.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The line in which it begins.
    pub(super) line: u64,
    /// Its text; what is wrong when it is no object. The lines up to the next object are part of that.
    pub(super) text: Result<Vec<u8>, String>,
}

impl<R: BufRead> Objects<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), number: 0, waiting: false }
    }

    /// The next object; `None` at the end.
    pub(super) fn next(&mut self, begins: impl Fn(&[u8]) -> bool) -> std::io::Result<Option<Found>> {
        let mut text = Vec::new();
        let mut nesting = Nesting::default();
        let mut line = 0;
        while self.read()? {
            if line == 0 {
                if self.line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                line = self.number;
            } else if self.line.starts_with(b"{") && begins(&self.line) {
                // Inside an object no line looks so: the one before was cut off, as the last line of a crash is.
                self.waiting = true;
                return Ok(Some(Found { line, text: Err("the text breaks off".into()) }));
            }
            match nesting.follow(&self.line) {
                Follow::Open if (text.len() + self.line.len()) as u64 >= MOST => {
                    return self.skip(line, "it is larger than 1 GiB").map(Some);
                }
                Follow::Open => text.extend_from_slice(&self.line),
                Follow::Closed(end) => {
                    text.extend_from_slice(&self.line[..end]);
                    self.line.drain(..end);
                    self.waiting = true;
                    return Ok(Some(Found { line, text: Ok(text) }));
                }
                Follow::Wrong(reason) => return self.skip(line, reason).map(Some),
            }
        }
        Ok((line > 0).then(|| Found { line, text: Err("the text breaks off".into()) }))
    }

    /// Makes `line` the next one; `false` at the end.
    fn read(&mut self) -> std::io::Result<bool> {
        if std::mem::take(&mut self.waiting) {
            return Ok(true);
        }
        self.line.clear();
        self.number += 1;
        Ok(self.reader.by_ref().take(MOST).read_until(b'\n', &mut self.line)? > 0)
    }

    /// Leaves out what follows, up to a line that may begin an object.
    fn skip(&mut self, line: u64, reason: &str) -> std::io::Result<Found> {
        while self.read()? {
            if self.line.starts_with(b"{") {
                self.waiting = true;
                break;
            }
        }
        Ok(Found { line, text: Err(reason.into()) })
    }
}

/// The brackets that are open, and whether inside a string.
#[derive(Default)]
struct Nesting {
    open: Vec<u8>,
    string: bool,
    escaped: bool,
}

enum Follow {
    Open,
    /// The object ends before this byte.
    Closed(usize),
    Wrong(&'static str),
}

impl Nesting {
    fn follow(&mut self, line: &[u8]) -> Follow {
        for (at, &byte) in line.iter().enumerate() {
            if self.string {
                match byte {
                    b'\n' => return Follow::Wrong("a string breaks off"),
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.open.push(byte),
                b'}' | b']' => match (self.open.pop(), byte) {
                    (Some(b'{'), b'}') | (Some(b'['), b']') if self.open.is_empty() => return Follow::Closed(at + 1),
                    (Some(b'{'), b'}') | (Some(b'['), b']') => {}
                    _ => return Follow::Wrong("a bracket closes what is not open"),
                },
                _ => {}
            }
            if self.open.is_empty() && !byte.is_ascii_whitespace() {
                return Follow::Wrong("it is not a JSON object");
            }
        }
        Follow::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(u64, Result<String, String>)> {
        let mut objects = Objects::new(text.as_bytes());
        let mut found = Vec::new();
        while let Some(Found { line, text }) = objects.next(|line| line.starts_with(b"{\"request")).unwrap() {
            found.push((line, text.map(|text| String::from_utf8(text).unwrap())));
        }
        found
    }

    fn whole(line: u64, text: &str) -> (u64, Result<String, String>) {
        (line, Ok(text.into()))
    }

    fn wrong(line: u64, reason: &str) -> (u64, Result<String, String>) {
        (line, Err(reason.into()))
    }

    #[test]
    fn objects_come_one_a_line_and_over_many() {
        let pretty = "{\n\"a\": [\n{\"b\": \"}\\\"{\"},\n{\"c\": 1}\n]\n}";
        assert_eq!(
            found(&format!("\n{{\"x\":1}}{{\"y\":2}} \n{pretty}\n")),
            [whole(2, "{\"x\":1}"), whole(2, "{\"y\":2}"), whole(3, pretty)]
        );
        assert_eq!(found(" \n\t"), []);
    }

    #[test]
    fn what_is_wrong_costs_the_lines_up_to_the_next_object() {
        let broken = ["{\"a\": \"cut", "nothing", "{\"a\": [}", "{\"a\":", "5", "{\"a\": 1"];
        let text = broken.map(|line| format!("{line}\n  {{\n{{\"request\": 1}}\n")).concat();
        let reasons = [
            "a string breaks off",
            "it is not a JSON object",
            "a bracket closes what is not open",
            "the text breaks off",
            "it is not a JSON object",
            "the text breaks off",
        ];
        let expected: Vec<_> = (0..6)
            .flat_map(|n| [wrong(3 * n + 1, reasons[n as usize]), whole(3 * n + 3, "{\"request\": 1}")])
            .collect();
        assert_eq!(found(&text), expected);
        assert_eq!(found("{\"a\": [1,\n2"), [wrong(1, "the text breaks off")]);
    }
}
