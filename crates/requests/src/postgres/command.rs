//! What a client says beside queries: transactions, settings, cursors. And where one statement ends.

use crate::Failure;

mod words;

use words::Words;
pub use words::statements;

/// A statement that the engine does not see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `BEGIN`, `START TRANSACTION`
    Begin,
    /// `COMMIT`, `END`
    Commit,
    /// `ROLLBACK`, `ABORT`
    Rollback,
    /// `SAVEPOINT`, `RELEASE`: there is nothing to go back to.
    Savepoint(&'static str),
    /// Goes on after an error within a transaction.
    RollbackTo,
    /// `SET`, `RESET`
    Set {
        /// Which setting, in small letters.
        name: String,
        /// `None` brings back what it was at the start.
        value: Option<String>,
        /// Until the transaction ends.
        local: bool,
    },
    /// `RESET ALL`
    ResetAll,
    /// `SHOW`
    Show(String),
    /// `SHOW ALL`
    ShowAll,
    /// `DECLARE … CURSOR`
    Declare {
        /// Its name.
        cursor: String,
        /// Its rows are sent in binary.
        binary: bool,
        /// It outlives the transaction.
        hold: bool,
        /// What it is over.
        query: String,
    },
    /// `FETCH`, `MOVE`
    Fetch {
        /// From which cursor.
        cursor: String,
        /// How many.
        rows: usize,
        /// They are left out.
        moves: bool,
    },
    /// `CLOSE`; `None` means all.
    Close(Option<String>),
    /// `DEALLOCATE`; `None` means all.
    Deallocate(Option<String>),
    /// `DISCARD ALL`
    DiscardAll,
    /// Understood, and nothing to do.
    Nothing(&'static str),
    /// A query.
    Query,
    /// No statement at all.
    Empty,
}

/// The first words of statements that change something.
const CHANGES: &[&str] = &[
    "alter",
    "analyze",
    "call",
    "checkpoint",
    "cluster",
    "comment",
    "copy",
    "create",
    "delete",
    "do",
    "drop",
    "grant",
    "import",
    "insert",
    "load",
    "lock",
    "merge",
    "notify",
    "reassign",
    "refresh",
    "reindex",
    "revoke",
    "security",
    "truncate",
    "update",
    "vacuum",
];

/// Reads what a statement is. Its text may end with a semicolon.
///
/// # Errors
/// When it would change something, or is half of a statement.
pub fn command(sql: &str) -> Result<Command, Failure> {
    let mut words = Words::new(sql);
    let Some(first) = words.find(|word| *word != ";") else { return Ok(Command::Empty) };
    let first = first.to_ascii_lowercase();
    Ok(match first.as_str() {
        "begin" => Command::Begin,
        "start" if words.takes("transaction") => Command::Begin,
        "commit" | "end" => Command::Commit,
        "abort" => Command::Rollback,
        "rollback" => {
            let _ = words.takes("work") || words.takes("transaction");
            if words.takes("to") { Command::RollbackTo } else { Command::Rollback }
        }
        "savepoint" => Command::Savepoint("SAVEPOINT"),
        "release" => Command::Savepoint("RELEASE"),
        "set" => set(&mut words)?,
        "reset" => match words.next() {
            Some("all" | "ALL") => Command::ResetAll,
            Some(name) => Command::Set { name: setting(name, &mut words), value: None, local: false },
            None => return Err(expected("the name of a setting")),
        },
        "show" => return show(&mut words),
        "declare" => declare(&mut words)?,
        "fetch" => fetch(&mut words, false)?,
        "move" => fetch(&mut words, true)?,
        "close" => Command::Close(name_or_all(&mut words)?),
        "deallocate" => {
            let _ = words.takes("prepare");
            Command::Deallocate(name_or_all(&mut words)?)
        }
        "discard" => match words.next().map(str::to_ascii_lowercase).as_deref() {
            Some("all") => Command::DiscardAll,
            _ => Command::Nothing("DISCARD"),
        },
        "listen" => return Err(Failure::new("0A000", "LISTEN is not supported: there are no notifications")),
        "unlisten" => Command::Nothing("UNLISTEN"),
        "prepare" | "execute" => {
            let mut rest = words.map(str::to_ascii_lowercase);
            if rest.any(|word| CHANGES.contains(&word.as_str())) {
                return Err(Failure::read_only(&first.to_ascii_uppercase()));
            }
            return Err(Failure::new("0A000", format!("{} is not supported as SQL", first.to_ascii_uppercase()))
                .hint("Prepare by the extended protocol, as drivers do."));
        }
        word if CHANGES.contains(&word) => return Err(Failure::read_only(&word.to_ascii_uppercase())),
        _ => Command::Query,
    })
}

fn expected(what: &str) -> Failure {
    Failure::new("42601", format!("syntax error: expected {what}"))
}

/// A setting's name of two words.
fn setting(name: &str, words: &mut Words<'_>) -> String {
    if name.eq_ignore_ascii_case("time") && words.takes("zone") {
        return "timezone".into();
    }
    if name.eq_ignore_ascii_case("transaction") && words.takes("isolation") {
        let _ = words.takes("level");
        return "transaction_isolation".into();
    }
    identifier(name)
}

fn set(words: &mut Words<'_>) -> Result<Command, Failure> {
    let local = words.takes("local");
    let session = !local && words.takes("session");
    let Some(name) = words.next() else { return Err(expected("the name of a setting")) };
    if name.eq_ignore_ascii_case("transaction") || (session && name.eq_ignore_ascii_case("characteristics")) {
        let write = words.by_ref().any(|word| word.eq_ignore_ascii_case("write"));
        return if write { Err(Failure::read_only("SET TRANSACTION READ WRITE")) } else { Ok(Command::Nothing("SET")) };
    }
    if name.eq_ignore_ascii_case("role") || (session && name.eq_ignore_ascii_case("authorization")) {
        return Err(Failure::new("42501", "permission denied to change the role"));
    }
    let zone = name.eq_ignore_ascii_case("time");
    let name = setting(name, words);
    if !(zone || words.takes("=") || words.takes("to")) {
        return Err(expected("= or TO"));
    }
    let mut value = String::new();
    for word in words.by_ref().filter(|word| *word != ";") {
        match word {
            "," => value += ", ",
            word => value += &literal(word),
        }
    }
    let value = (!value.is_empty() && !value.eq_ignore_ascii_case("default")).then_some(value);
    Ok(Command::Set { name, value, local })
}

fn show(words: &mut Words<'_>) -> Result<Command, Failure> {
    let Some(name) = words.next() else { return Err(expected("the name of a setting")) };
    Ok(match name.to_ascii_lowercase().as_str() {
        "all" => Command::ShowAll,
        // What DataFusion shows.
        "tables" | "columns" | "functions" | "create" => Command::Query,
        _ => Command::Show(setting(name, words)),
    })
}

fn declare(words: &mut Words<'_>) -> Result<Command, Failure> {
    let cursor = identifier(words.next().ok_or_else(|| expected("the name of a cursor"))?);
    let (mut binary, mut hold) = (false, false);
    while let Some(word) = words.next() {
        match word.to_ascii_lowercase().as_str() {
            "binary" => binary = true,
            "with" => hold = true,
            "for" => {
                let query = words.rest().trim_end_matches([';', ' ', '\n', '\t', '\r']).to_owned();
                return Ok(Command::Declare { cursor, binary, hold, query });
            }
            _ => {}
        }
    }
    Err(expected("FOR and a query"))
}

fn fetch(words: &mut Words<'_>, moves: bool) -> Result<Command, Failure> {
    let mut rows = 1;
    let mut cursor = None;
    for word in words.by_ref().filter(|word| *word != ";") {
        match word.to_ascii_lowercase().as_str() {
            "next" | "forward" | "from" | "in" => {}
            "all" => rows = usize::MAX,
            "backward" | "prior" | "first" | "last" | "absolute" | "relative" | "-" => {
                return Err(Failure::new("55000", "cursor can only scan forward"));
            }
            number if number.starts_with(|first: char| first.is_ascii_digit()) => {
                rows = number.parse().map_err(|_| expected("a number of rows"))?;
            }
            _ => cursor = Some(identifier(word)),
        }
    }
    let cursor = cursor.ok_or_else(|| expected("the name of a cursor"))?;
    Ok(Command::Fetch { cursor, rows, moves })
}

fn name_or_all(words: &mut Words<'_>) -> Result<Option<String>, Failure> {
    match words.next() {
        Some(all) if all.eq_ignore_ascii_case("all") => Ok(None),
        Some(name) => Ok(Some(identifier(name))),
        None => Err(expected("a name")),
    }
}

/// A name: as it is within quotes, else in lower case.
fn identifier(word: &str) -> String {
    match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_ascii_lowercase(),
    }
}

/// A value: without its quotes.
fn literal(word: &str) -> String {
    match word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
        Some(quoted) => quoted.replace("''", "'"),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(sql: &str) -> Command {
        command(sql).unwrap_or_else(|failure| panic!("{sql}: {failure:?}"))
    }

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let texts = |sql| statements(sql).into_iter().map(|(_, text)| text).collect::<Vec<_>>();
        assert_eq!(texts("SELECT ';' ; SELECT \";\";;"), ["SELECT ';' ", " SELECT \";\""]);
        assert_eq!(texts("SELECT 1 -- ;\n; /* ; /* ; */ ; */"), ["SELECT 1 -- ;\n"]);
        assert_eq!(texts("SELECT $a$ ; $a$, E'\\';', $1;x"), ["SELECT $a$ ; $a$, E'\\';', $1", "x"]);
        assert_eq!(statements("é; b"), [(0, "é"), (2, " b")]);
        assert_eq!(texts(" ; \n"), [""; 0]);
        assert_eq!(texts("SELECT a$b$ ; SELECT $b$"), ["SELECT a$b$ ", " SELECT $b$"]);
        assert_eq!(texts("SELECT 1 -- ;\r; x"), ["SELECT 1 -- ;\r", " x"]);
        assert_eq!(texts("SELECT $a.b$ ; $a.b$"), ["SELECT $a.b$ ", " $a.b$"]);
    }

    #[test]
    fn transactions_and_settings_are_understood() {
        assert_eq!(read("/* driver */ BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"), Command::Begin);
        assert_eq!(read("start transaction"), Command::Begin);
        assert_eq!(read("ROLLBACK TO SAVEPOINT \"a\""), Command::RollbackTo);
        assert_eq!(read("ROLLBACK WORK;"), Command::Rollback);
        let set = |name: &str, value: Option<&str>, local| Command::Set {
            name: name.into(),
            value: value.map(str::to_owned),
            local,
        };
        assert_eq!(read("SET statement_timeout TO '2s';"), set("statement_timeout", Some("2s"), false));
        assert_eq!(read("SET LOCAL search_path = a, \"B\""), set("search_path", Some("a, \"B\""), true));
        assert_eq!(read("SET SESSION TIME ZONE 'Europe/Berlin'"), set("timezone", Some("Europe/Berlin"), false));
        assert_eq!(read("SET TimeZone=DEFAULT"), set("timezone", None, false));
        assert_eq!(read("SET TIME ZONE -3"), set("timezone", Some("-3"), false));
        assert_eq!(read("RESET ALL"), Command::ResetAll);
        assert_eq!(read("SHOW TRANSACTION ISOLATION LEVEL"), Command::Show("transaction_isolation".into()));
        assert_eq!(read("show tables"), Command::Query);
        assert_eq!(read("SELECT 1"), Command::Query);
        assert_eq!(read(" -- nothing\n ;"), Command::Empty);
        assert_eq!(read(" -- nothing\n "), Command::Empty);
    }

    #[test]
    fn cursors_are_understood() {
        let declared = read("DECLARE \"My\" NO SCROLL CURSOR WITHOUT HOLD FOR SELECT ';' ;");
        let expected = Command::Declare { cursor: "My".into(), binary: false, hold: false, query: "SELECT ';'".into() };
        assert_eq!(declared, expected);
        let fetch = |cursor: &str, rows| Command::Fetch { cursor: cursor.into(), rows, moves: false };
        assert_eq!(read("FETCH FORWARD 100 FROM \"My\""), fetch("My", 100));
        assert_eq!(read("fetch all in C"), fetch("c", usize::MAX));
        assert_eq!(read("FETCH c"), fetch("c", 1));
        assert_eq!(read("CLOSE ALL"), Command::Close(None));
    }

    #[test]
    fn what_changes_something_is_refused() {
        let code = |sql| command(sql).expect_err(sql).code;
        for sql in [
            "INSERT INTO spans VALUES (1)",
            "/**/ create table t as select 1",
            "COPY spans TO '/tmp/x'",
            "PREPARE p AS INSERT INTO spans VALUES (1)",
            "SET TRANSACTION READ WRITE",
            "DO $$ $$",
            "VACUUM",
        ] {
            assert_eq!(code(sql), "25006", "{sql}");
        }
        assert_eq!(code("SET ROLE root"), "42501");
        assert_eq!(code("FETCH BACKWARD 1 FROM c"), "55000");
    }

    #[test]
    fn any_text_is_read_without_panic() {
        use proptest::prelude::*;
        proptest!(|(sql in "[-a-z$'\"/*;E\\\\ é0-9\n]{0,40}")| {
            let joined: usize = statements(&sql).iter().map(|(_, text)| text.len()).sum();
            prop_assert!(joined <= sql.len());
            let _ = command(&sql);
        });
    }
}
