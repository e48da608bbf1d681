//! What clients set and ask: `SET`, `RESET`, `SHOW`, `current_setting`.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::timezone::Tz;

use crate::Failure;

/// The version of PostgreSQL whose behaviour clients can expect.
pub const SERVER_VERSION: &str = "16.6";

/// A setting: its name, its value at the start, and what it may be set to.
type Known = (&'static str, &'static str, Allowed);

#[derive(Clone, Copy, Debug)]
enum Allowed {
    /// Any text; it changes nothing here.
    Any,
    /// One of these, in any case, or with one of these as its first word.
    Only(&'static [&'static str]),
    /// It says how the server is.
    Fixed,
    /// A time zone.
    Zone,
    /// A number of milliseconds, or with a unit.
    Time,
}

use Allowed::{Any, Fixed, Only, Time, Zone};

/// All settings, sorted by name.
const KNOWN: &[Known] = &[
    ("application_name", "", Any),
    ("bytea_output", "hex", Only(&["hex"])),
    ("check_function_bodies", "on", Any),
    ("client_encoding", "UTF8", Only(&["utf8", "utf-8", "unicode", "sql_ascii"])),
    ("client_min_messages", "notice", Any),
    ("datestyle", "ISO, MDY", Only(&["iso"])),
    ("default_statistics_target", "100", Any),
    ("default_tablespace", "", Any),
    ("default_text_search_config", "pg_catalog.simple", Any),
    ("default_transaction_deferrable", "off", Any),
    ("default_transaction_isolation", "read committed", Any),
    ("default_transaction_read_only", "on", Only(&["on", "true", "yes", "1"])),
    ("enable_seqscan", "on", Any),
    ("extra_float_digits", "1", Any),
    ("geqo", "on", Any),
    ("idle_in_transaction_session_timeout", "0", Any),
    ("idle_session_timeout", "0", Any),
    ("in_hot_standby", "off", Fixed),
    ("integer_datetimes", "on", Fixed),
    ("intervalstyle", "postgres", Only(&["postgres"])),
    ("is_superuser", "off", Fixed),
    ("jit", "off", Any),
    ("lc_collate", "C", Fixed),
    ("lc_ctype", "C", Fixed),
    ("lc_messages", "C", Any),
    ("lc_monetary", "C", Any),
    ("lc_numeric", "C", Any),
    ("lc_time", "C", Any),
    ("lock_timeout", "0", Any),
    ("max_identifier_length", "63", Fixed),
    ("max_index_keys", "32", Fixed),
    ("plan_cache_mode", "auto", Any),
    ("row_security", "on", Any),
    ("search_path", "\"$user\", public", Any),
    ("server_encoding", "UTF8", Fixed),
    ("server_version", SERVER_VERSION, Fixed),
    ("server_version_num", "160006", Fixed),
    ("session_authorization", "", Fixed),
    ("standard_conforming_strings", "on", Only(&["on", "true", "yes", "1"])),
    ("statement_timeout", "0", Time),
    ("synchronize_seqscans", "on", Any),
    ("timezone", "UTC", Zone),
    // Ours: what calls cost is worked out by the prices of this version.
    ("tracewell.prices", "", Any),
    ("transaction_deferrable", "off", Any),
    ("transaction_isolation", "read committed", Any),
    ("transaction_read_only", "on", Only(&["on", "true", "yes", "1"])),
    ("work_mem", "4MB", Any),
    ("xmloption", "content", Any),
];

/// Settings that a client is told of whenever they change, as they are spelt then.
const REPORTED: &[(&str, &str)] = &[
    ("application_name", "application_name"),
    ("client_encoding", "client_encoding"),
    ("datestyle", "DateStyle"),
    ("default_transaction_read_only", "default_transaction_read_only"),
    ("in_hot_standby", "in_hot_standby"),
    ("integer_datetimes", "integer_datetimes"),
    ("intervalstyle", "IntervalStyle"),
    ("is_superuser", "is_superuser"),
    ("server_encoding", "server_encoding"),
    ("server_version", "server_version"),
    ("session_authorization", "session_authorization"),
    ("standard_conforming_strings", "standard_conforming_strings"),
    ("timezone", "TimeZone"),
];

/// The settings of one connection.
#[derive(Clone, Debug)]
pub struct Settings {
    start: BTreeMap<&'static str, String>,
    now: BTreeMap<&'static str, String>,
    /// In force until the transaction ends.
    local: BTreeMap<&'static str, String>,
}

impl Settings {
    /// Those of a connection of this user.
    #[must_use]
    pub fn new(user: &str) -> Self {
        let mut start: BTreeMap<_, _> = KNOWN.iter().map(|(name, value, _)| (*name, (*value).to_owned())).collect();
        start.insert("session_authorization", user.to_owned());
        Self { now: start.clone(), start, local: BTreeMap::new() }
    }

    /// Makes the values of now those that `RESET` brings back.
    pub fn begin(&mut self) {
        self.start.clone_from(&self.now);
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn get(&self, name: &str) -> Result<&str, Failure> {
        let (name, _) = known(name)?;
        Ok(self.local.get(name).or_else(|| self.now.get(name)).map_or("", String::as_str))
    }

    /// All names and values.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KNOWN.iter().map(|(name, ..)| (*name, self.get(name).unwrap_or_default()))
    }

    /// Sets a value, for the transaction only when `local`.
    ///
    /// # Errors
    /// When there is no such setting, or it cannot be so.
    pub fn set(&mut self, name: &str, value: &str, local: bool) -> Result<(), Failure> {
        let (name, allowed) = known(name)?;
        let value = check(name, allowed, value)?;
        if local {
            self.local.insert(name, value);
        } else {
            self.local.remove(name);
            self.now.insert(name, value);
        }
        Ok(())
    }

    /// Brings back a value of the start.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn reset(&mut self, name: &str) -> Result<(), Failure> {
        let (name, _) = known(name)?;
        self.local.remove(name);
        self.now.insert(name, self.start[name].clone());
        Ok(())
    }

    /// Brings back all values of the start.
    pub fn reset_all(&mut self) {
        self.local.clear();
        self.now.clone_from(&self.start);
    }

    /// Forgets what was set for the transaction.
    pub fn end_transaction(&mut self) {
        self.local.clear();
    }

    /// What a client is told of.
    #[must_use]
    pub fn reported(&self) -> Vec<(&'static str, String)> {
        REPORTED.iter().map(|(name, spelt)| (*spelt, self.get(name).unwrap_or_default().to_owned())).collect()
    }

    /// How long a statement may run, where it is said.
    #[must_use]
    pub fn statement_timeout(&self) -> Option<Duration> {
        let timeout = self.get("statement_timeout").ok().and_then(milliseconds).unwrap_or(0);
        (timeout > 0).then(|| Duration::from_millis(timeout))
    }
}

fn known(name: &str) -> Result<(&'static str, Allowed), Failure> {
    let lower = name.to_ascii_lowercase();
    let found = KNOWN.iter().find(|(known, ..)| *known == lower).map(|(name, _, allowed)| (*name, *allowed));
    found.ok_or_else(|| {
        Failure::new("42704", format!("unrecognized configuration parameter \"{name}\""))
            .hint("SHOW ALL lists the settings there are.")
    })
}

/// Whether a setting is known and changes nothing here.
#[must_use]
pub fn changes_nothing(name: &str) -> bool {
    known(name).is_ok_and(|(name, allowed)| matches!(allowed, Any) && name != "tracewell.prices")
}

fn check(name: &str, allowed: Allowed, value: &str) -> Result<String, Failure> {
    let invalid = || Failure::new("22023", format!("invalid value for parameter \"{name}\": \"{value}\""));
    match allowed {
        Any => Ok(value.to_owned()),
        Fixed => Err(Failure::new("55P02", format!("parameter \"{name}\" cannot be changed"))),
        Only(values) => {
            // Some clients send quotes as if it were SQL.
            let first = value.trim_matches('\'').split([',', ' ']).next().unwrap_or_default();
            if !values.iter().any(|allowed| allowed.eq_ignore_ascii_case(first)) {
                let hint = format!("Tracewell knows only {}.", values.join(", "));
                return Err(if name.ends_with("read_only") {
                    Failure::read_only(&format!("SET {name}"))
                } else {
                    invalid().hint(hint)
                });
            }
            // One spelling, whatever was asked for.
            let spelt = KNOWN.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| *value);
            Ok(spelt.unwrap_or(value).to_owned())
        }
        Zone => zone(value).ok_or_else(invalid),
        Time => milliseconds(value).map(|time| time.to_string()).ok_or_else(invalid),
    }
}

/// The name of a time zone as the engine knows it. A plain number is hours east of Greenwich.
fn zone(value: &str) -> Option<String> {
    if ["default", "local", "gmt", "utc", "z"].iter().any(|name| name.eq_ignore_ascii_case(value)) {
        return Some("UTC".into());
    }
    if let Ok(hours) = value.parse::<i8>()
        && (-15..=15).contains(&hours)
    {
        return Some(format!("{}{:02}:00", if hours < 0 { '-' } else { '+' }, hours.abs()));
    }
    value.parse::<Tz>().is_ok().then(|| value.to_owned())
}

fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let unit = value.find(|character: char| !character.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..unit].parse().ok()?;
    let factor = match value[unit..].trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_set_for_a_while_or_for_good() {
        let mut settings = Settings::new("ada");
        settings.set("statement_timeout", "2s", false).expect("it is a time");
        settings.set("TimeZone", "Europe/Berlin", true).expect("it is a zone");
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(2)));
        assert_eq!(settings.get("timezone").expect("it is known"), "Europe/Berlin");
        settings.end_transaction();
        assert_eq!(settings.get("timezone").expect("it is known"), "UTC");
        settings.reset_all();
        assert_eq!(settings.statement_timeout(), None);
        assert_eq!(settings.get("session_authorization").expect("it is known"), "ada");
    }

    #[test]
    fn what_is_unknown_or_cannot_be_so_is_refused() {
        let mut settings = Settings::new("ada");
        let code = |result: Result<(), Failure>| result.expect_err("it is refused").code;
        assert_eq!(code(settings.set("datafusion.execution.batch_size", "1", false)), "42704");
        assert_eq!(code(settings.set("server_version", "9", false)), "55P02");
        assert_eq!(code(settings.set("client_encoding", "LATIN1", false)), "22023");
        assert_eq!(code(settings.set("timezone", "Mars/Olympus", false)), "22023");
        assert_eq!(code(settings.set("default_transaction_read_only", "off", false)), "25006");
        assert!(settings.set("client_encoding", "'utf-8'", false).is_ok());
        assert!(settings.set("datestyle", "ISO, DMY", false).is_ok());
    }

    #[test]
    fn names_are_sorted_and_reported_ones_are_known() {
        assert!(KNOWN.is_sorted_by_key(|(name, ..)| *name));
        assert!(REPORTED.iter().all(|(name, _)| known(name).is_ok()));
    }
}
