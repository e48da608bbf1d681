//! Where words, quoted texts, comments and statements of SQL end.

/// Words, quoted texts and single signs of SQL, without comments.
pub(super) struct Words<'a> {
    sql: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(sql: &'a str) -> Self {
        Self { sql }
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a str {
        self.sql.trim_start()
    }

    /// Reads the next word if it is this one.
    pub(super) fn takes(&mut self, word: &str) -> bool {
        let before = self.sql;
        if self.next().is_some_and(|next| next.eq_ignore_ascii_case(word)) {
            return true;
        }
        self.sql = before;
        false
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.sql = self.sql.trim_start();
            let piece = piece(self.sql)?;
            let (word, rest) = self.sql.split_at(piece);
            self.sql = rest;
            if !word.starts_with("--") && !word.starts_with("/*") {
                return Some(word);
            }
        }
    }
}

/// How many bytes the word, the quoted text, the comment or the sign at the start of `sql` takes.
fn piece(sql: &str) -> Option<usize> {
    let first = sql.chars().next()?;
    let until = |end: &str| sql[end.len()..].find(end).map_or(sql.len(), |found| found + 2 * end.len());
    Some(match first {
        '\'' | '"' => quoted(sql, first, false),
        '-' if sql.starts_with("--") => sql.find(['\n', '\r']).map_or(sql.len(), |end| end + 1),
        '/' if sql.starts_with("/*") => comment(sql),
        '$' => match sql[1..].find('$').map(|end| &sql[..end + 2]) {
            Some(tag)
                if tag[1..tag.len() - 1].chars().all(|character| is_word(character) && character != '.')
                    && !tag[1..].starts_with(|c: char| c.is_ascii_digit()) =>
            {
                until(tag)
            }
            _ => 1,
        },
        'e' | 'E' if sql[1..].starts_with('\'') => 1 + quoted(&sql[1..], '\'', true),
        first if first.is_numeric() => sql.find(|character| !is_word(character)).unwrap_or(sql.len()),
        // A name may have dollars behind its first letter, where they begin no text.
        first if is_word(first) => sql.find(|character| !is_word(character) && character != '$').unwrap_or(sql.len()),
        other => other.len_utf8(),
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '.')
}

fn quoted(sql: &str, quote: char, escapes: bool) -> usize {
    let mut characters = sql.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if escapes && character == '\\' {
            characters.next();
        } else if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + quote.len_utf8();
        }
    }
    sql.len()
}

/// Comments may hold comments.
fn comment(sql: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    sql.len()
}

/// The statements of a text, each with the number of characters before it.
#[must_use]
pub fn statements(sql: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    let (mut counted, mut characters) = (0, 0);
    let mut push = |start: usize, end: usize| {
        let statement = &sql[start..end];
        characters += sql[counted..start].chars().count();
        counted = start;
        if Words::new(statement).next().is_some() {
            found.push((characters, statement));
        }
    };
    while at < sql.len() {
        let rest = &sql[at..];
        if rest.starts_with(';') {
            push(start, at);
            start = at + 1;
        }
        let space = rest.len() - rest.trim_start().len();
        at += if space > 0 { space } else { piece(rest).unwrap_or(rest.len()) };
    }
    push(start, sql.len());
    found
}
