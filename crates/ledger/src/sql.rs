//! Pieces of SQL.

/// `text` as a literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A list of literals of those of `ids` that are hexadecimal; never empty, for `IN ()` is not SQL.
pub(crate) fn ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
    let is_hex = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let list: Vec<String> = ids.into_iter().filter(is_hex).map(quoted).collect();
    if list.is_empty() { "''".to_owned() } else { list.join(", ") }
}
