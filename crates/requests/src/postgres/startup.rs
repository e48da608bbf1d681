//! What a client says of itself at the start.

use crate::Failure;
use crate::postgres::settings::Settings;

/// The settings that a client starts with, and options of the protocol that are not known.
///
/// # Errors
/// When it has no name, or sets what it cannot.
pub fn read(parameters: &[(String, String)]) -> Result<(Settings, Vec<String>), Failure> {
    let find = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let Some(user) = find("user") else {
        return Err(Failure::new("28000", "no user name is given in the startup packet"));
    };
    let mut settings = Settings::new(user);
    let mut unknown = Vec::new();
    for (name, value) in parameters {
        match name.as_str() {
            "user" | "database" => {}
            "replication" if ["false", "off", "no", "0"].contains(&value.as_str()) => {}
            "replication" => return Err(Failure::new("0A000", "replication is not supported")),
            "options" => {
                for (name, value) in options(value) {
                    settings.set(&name, &value, false)?;
                }
            }
            name if name.starts_with("_pq_.") => unknown.push(name.to_owned()),
            name => settings.set(name, value, false)?,
        }
    }
    settings.begin();
    Ok((settings, unknown))
}

/// The settings in `-c name=value --name=value`; a backslash takes the meaning from a space.
fn options(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let last = words.len() - 1;
        match character {
            '\\' => words[last].extend(characters.next()),
            character if character.is_whitespace() => words.push(String::new()),
            character => words[last].push(character),
        }
    }
    let settings = words.iter().filter(|word| *word != "-c");
    let settings = settings.filter_map(|word| word.trim_start_matches("-c").trim_start_matches("--").split_once('='));
    settings.map(|(name, value)| (name.replace('-', "_"), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_the_options() {
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            options("-c statement_timeout=2s -ctimezone=UTC --application-name=a\\ b"),
            [set("statement_timeout", "2s"), set("timezone", "UTC"), set("application_name", "a b")]
        );
    }

    #[test]
    fn a_client_has_a_name_and_may_set_what_is_known() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (settings, unknown) =
            read(&[pair("user", "ada"), pair("TimeZone", "Europe/Berlin"), pair("_pq_.x", "1")]).expect("it is valid");
        assert_eq!(settings.get("timezone").expect("it is known"), "Europe/Berlin");
        assert_eq!(unknown, ["_pq_.x"]);
        assert_eq!(read(&[]).expect_err("it has no name").code, "28000");
        assert_eq!(read(&[pair("user", "ada"), pair("nonsense", "1")]).expect_err("it is unknown").code, "42704");
    }
}
