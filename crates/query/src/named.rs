//! Named queries: SQL files that answer a question people have, with typed parameters.
//!
//! A file begins with its header; its name without `.sql` is the query's name.
//!
//! ```text
//! -- title: Tokens by team
//! -- question: Who used how many tokens?
//! -- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
//! -- param: team text = NULL | Only this team
//! SELECT … WHERE start_time >= $since AND ($team IS NULL OR team = $team)
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod bind;

pub use bind::BindError;

/// One named query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedQuery {
    /// Its name.
    pub name: String,
    /// The folder it is in.
    pub group: String,
    /// What it is called for people.
    pub title: String,
    /// The question that it answers.
    pub question: String,
    /// What can be asked differently.
    pub parameters: Vec<Parameter>,
    /// The text, header and all.
    pub sql: String,
}

/// One parameter: `$name` in the SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, without `$`.
    pub name: String,
    /// Its type.
    pub kind: ParameterType,
    /// The SQL expression that stands for it when it is not given; without one it has to be given.
    pub default: Option<String>,
    /// What it is for.
    pub doc: String,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// UTF-8 text.
    Text,
    /// 64-bit integer.
    Bigint,
    /// IEEE double.
    Double,
    /// true or false.
    Boolean,
    /// A day.
    Date,
    /// A moment.
    Timestamptz,
}

impl ParameterType {
    const ALL: [Self; 6] = [Self::Text, Self::Bigint, Self::Double, Self::Boolean, Self::Date, Self::Timestamptz];

    /// Its name in SQL and in headers.
    #[must_use]
    pub const fn sql(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamptz => "timestamptz",
        }
    }
}

/// Why a file is no named query.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// The header is wrong.
    #[error("{name}.sql, line {line}: {what}")]
    Header {
        /// The query.
        name: String,
        /// From 1.
        line: usize,
        /// What is wrong, and how it is right.
        what: String,
    },
    /// A name is taken.
    #[error("two named queries are called `{0}`; rename one of the files")]
    Twice(String),
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// The named queries at hand.
#[derive(Clone, Debug, Default)]
pub struct Catalogue(BTreeMap<String, NamedQuery>);

impl Catalogue {
    /// Those that the binary brings.
    ///
    /// # Panics
    /// When a file of ours is wrong, which a test rules out.
    #[must_use]
    pub fn built_in() -> Self {
        const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/queries.rs"));
        let mut catalogue = Self::default();
        for (group, name, text) in FILES {
            catalogue.add(parse(group, name, text).expect("a test reads them all")).expect("a test reads them all");
        }
        catalogue
    }

    /// Adds the `.sql` files of a folder and of its folders, which are the groups.
    ///
    /// # Errors
    /// When a file is no named query or its name is taken.
    pub fn add_folder(&mut self, folder: &Path) -> Result<(), NamedError> {
        self.add_files(folder, "own")
    }

    /// Adds one file to a group, and gives its name.
    ///
    /// # Errors
    /// When it is no named query or its name is taken.
    pub fn add_file(&mut self, path: &Path, group: &str) -> Result<String, NamedError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| NamedError::Unreadable { path: path.to_owned(), error })?;
        self.add(parse(group, &name, &text)?)?;
        Ok(name)
    }

    fn add_files(&mut self, folder: &Path, group: &str) -> Result<(), NamedError> {
        let unreadable = |error| NamedError::Unreadable { path: folder.to_owned(), error };
        let entries = std::fs::read_dir(folder).map_err(unreadable)?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
        paths.sort();
        for path in paths {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                self.add_files(&path, &stem)?;
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                self.add_file(&path, group)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, query: NamedQuery) -> Result<(), NamedError> {
        match self.0.insert(query.name.clone(), query) {
            None => Ok(()),
            Some(before) => Err(NamedError::Twice(before.name)),
        }
    }

    /// The query of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&NamedQuery> {
        self.0.get(name)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = &NamedQuery> {
        self.0.values()
    }
}

/// Reads a query's file.
fn parse(group: &str, name: &str, text: &str) -> Result<NamedQuery, NamedError> {
    let wrong = |line: usize, what: String| NamedError::Header { name: name.to_owned(), line: line + 1, what };
    let (mut title, mut question, mut parameters) = (None, None, Vec::<Parameter>::new());
    for (line, words) in text.lines().enumerate() {
        let Some(header) = words.strip_prefix("-- ") else { break };
        match header.split_once(": ") {
            Some(("title", rest)) => title = Some(rest.trim().to_owned()),
            Some(("question", rest)) => question = Some(rest.trim().to_owned()),
            Some(("param", rest)) => {
                let parameter = parameter(rest).map_err(|what| wrong(line, what))?;
                if parameters.iter().any(|other| other.name == parameter.name) {
                    return Err(wrong(line, format!("the parameter `{}` stands twice", parameter.name)));
                }
                parameters.push(parameter);
            }
            // Words about the query may follow.
            _ if title.is_some() && question.is_some() => break,
            _ => return Err(wrong(line, "a header line is `-- title: …`, `-- question: …` or `-- param: …`".into())),
        }
    }
    let (Some(title), Some(question)) = (title, question) else {
        return Err(wrong(0, "it has to begin with `-- title: …` and `-- question: …`".into()));
    };
    Ok(NamedQuery { name: name.to_owned(), group: group.to_owned(), title, question, parameters, sql: text.to_owned() })
}

/// Reads `name type = default | what for`.
fn parameter(text: &str) -> Result<Parameter, String> {
    const FORM: &str = "a parameter is `name type = default | what it is for`, where `= default` may be left out";
    let (declared, doc) = text.split_once(" | ").ok_or(FORM)?;
    let (typed, default) = match declared.split_once(" = ") {
        Some((typed, default)) => (typed, Some(default.trim().to_owned())),
        None => (declared, None),
    };
    let (name, kind) = typed.trim().split_once(' ').ok_or(FORM)?;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return Err(format!("`{name}` is no name of a parameter: small letters, digits and `_`"));
    }
    let kind = kind.trim();
    let Some(kind) = ParameterType::ALL.into_iter().find(|one| one.sql() == kind) else {
        let known = ParameterType::ALL.map(ParameterType::sql).join(", ");
        return Err(format!("`{kind}` is no type of a parameter; there are {known}"));
    };
    Ok(Parameter { name: name.to_owned(), kind, default, doc: doc.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read() {
        let text = "-- title: Tokens\n-- question: How many?\n-- param: since timestamptz = now() | From when\n\
                    -- param: team text | Whose\nSELECT 1\n-- param: not a header\n";
        let query = parse("tokens", "tokens", text).expect("it is right");
        assert_eq!((query.title.as_str(), query.question.as_str()), ("Tokens", "How many?"));
        assert_eq!(
            query.parameters,
            [
                Parameter {
                    name: "since".into(),
                    kind: ParameterType::Timestamptz,
                    default: Some("now()".into()),
                    doc: "From when".into()
                },
                Parameter { name: "team".into(), kind: ParameterType::Text, default: None, doc: "Whose".into() },
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let told = |text: &str| parse("g", "q", text).expect_err("it is wrong").to_string();
        let head = "-- title: T\n-- question: Q\n";
        assert!(told("SELECT 1").contains("q.sql, line 1: it has to begin with"));
        assert!(told(&format!("{head}-- param: since | x\n")).contains("line 3: a parameter is"));
        assert!(told(&format!("{head}-- param: since money = 1 | x\n")).contains("line 3: `money` is no type"));
        assert!(told(&format!("{head}-- param: A text | x\n")).contains("`A` is no name"));
        assert!(told(&format!("{head}-- param: a text | x\n-- param: a text | x\n")).contains("line 4: the parameter"));
        assert!(told("-- title: T\n-- words\n").contains("line 2: a header line is"));
    }

    #[test]
    fn our_own_are_right() {
        for query in Catalogue::built_in().iter() {
            assert!(query.question.ends_with('?'), "{}: a question ends with ?", query.name);
            for parameter in &query.parameters {
                assert!(query.sql.contains(&format!("${}", parameter.name)), "{}: {}", query.name, parameter.name);
            }
        }
    }
}
