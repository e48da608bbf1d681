//! Puts the configuration together, and refuses what cannot be meant.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::{Config, Effective, Flag, Source, shown, storage};

/// What an environment variable of ours begins with.
const PREFIX: &str = "TRACEWELL_";
/// Variables that are no settings.
const OTHERS: [&str; 3] = ["config", "log", "server"];

type Settings = BTreeMap<String, (Value, Source)>;

/// Puts the configuration together.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[Flag],
) -> anyhow::Result<Effective> {
    let defaults = Table::try_from(Config::default()).expect("the defaults are valid TOML");
    let mut settings = Settings::new();
    leaves(&defaults, "", &mut |key, value| {
        settings.insert(key, (value.clone(), Source::Default));
    });
    if let Some(path) = file {
        add_file(&mut settings, path)?;
    }
    for (name, text) in environment {
        add_variable(&mut settings, &name, &text)?;
    }
    for flag in flags {
        let like = &settings.get(flag.key).expect("flags set settings that exist").0;
        let value =
            parse_like(like, &flag.value).with_context(|| format!("{} `{}` is wrong", flag.name, flag.value))?;
        settings.insert(flag.key.to_owned(), (value, Source::Flag(flag.name)));
    }
    // A table that has members is told by them: what `tracewell config` prints can be read again.
    let keys: Vec<String> = settings.keys().cloned().collect();
    settings.retain(|key, (value, _)| {
        let section = format!("{key}.");
        !value.is_table() || !keys.iter().any(|other| other.starts_with(&section))
    });
    // Each by itself: so it is known which one is wrong.
    for (key, (value, source)) in settings.iter().filter(|(_, (_, source))| *source != Source::Default) {
        let mut one = defaults.clone();
        set(&mut one, key, value.clone());
        let read = one.try_into().map_err(|error: toml::de::Error| error.message().to_owned());
        if let Err(reason) = read.and_then(|config: Config| config.check()) {
            bail!("{source}: `{key} = {}` is wrong: {reason}", shown(key, value));
        }
    }
    let mut table = Table::new();
    for (key, (value, _)) in &settings {
        set(&mut table, key, value.clone());
    }
    let config: Config = table
        .try_into()
        .map_err(|error: toml::de::Error| anyhow::anyhow!("the configuration is wrong: {}", error.message()))?;
    let named = config.report.check_names().and_then(|()| config.alerts.check_names(&config.report));
    named.map_err(|reason| anyhow::anyhow!("the configuration is wrong: {reason}"))?;
    Ok(Effective { config, settings })
}

fn add_file(settings: &mut Settings, path: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let table: Table = text.parse().with_context(|| format!("`{}` is not TOML", path.display()))?;
    let mut found = Vec::new();
    leaves(&table, "", &mut |key, value| found.push((key, value.clone())));
    for (key, value) in found {
        if settings.contains_key(&key) || is_named_freely(settings, &key) {
            settings.insert(key, (value, Source::File(path.to_owned())));
        } else if let Some(name) =
            key.strip_prefix("storage.").map(str::to_lowercase).filter(|name| storage::is_known(name))
        {
            settings.insert(format!("storage.{name}"), (value, Source::File(path.to_owned())));
        } else if !is_empty_section(settings, &key, &value) {
            let sections = settings.keys().filter(|_| value.is_table()).filter_map(|key| key.split_once('.'));
            let sections = sections.map(|(section, _)| section.to_owned());
            let hint = hint(&key, all_keys(settings).chain(sections));
            bail!("file {}: there is no setting `{key}`{hint}", path.display());
        }
    }
    Ok(())
}

fn add_variable(settings: &mut Settings, name: &str, text: &str) -> anyhow::Result<()> {
    let Some(rest) = name.strip_prefix(PREFIX).map(str::to_lowercase) else { return Ok(()) };
    let source = Source::Environment(name.to_owned());
    if let Some(key) = settings.keys().find(|key| key.replace('.', "_") == rest).cloned() {
        let value = parse_like(&settings[&key].0, text).with_context(|| format!("{name}=`{text}` is wrong"))?;
        settings.insert(key, (value, source));
        return Ok(());
    }
    if let Some(option) = rest.strip_prefix("storage_").filter(|option| storage::is_known(option)) {
        settings.insert(format!("storage.{option}"), (Value::String(text.to_owned()), source));
        return Ok(());
    }
    let mut sections = settings.keys().filter_map(|key| key.split('.').next()).chain(["storage"]);
    let meant = sections.any(|section| rest.starts_with(&format!("{section}_")));
    let near = nearest(&rest, settings.keys().map(|key| key.replace('.', "_")).chain(OTHERS.map(str::to_owned)));
    if OTHERS.contains(&rest.as_str()) || is_of_kubernetes(&rest) || !(meant || near.is_some()) {
        return Ok(());
    }
    let variable = |key: &str| format!("{PREFIX}{}", key.replace('.', "_").to_uppercase());
    let hint = hint(name, all_keys(settings).map(|key| variable(&key)));
    bail!("environment: there is no setting for `{name}`{hint}");
}

/// Kubernetes tells every container of every service: of one named `tracewell-ingest` in `TRACEWELL_INGEST_PORT`.
fn is_of_kubernetes(rest: &str) -> bool {
    ["_service_host", "_service_port", "_tcp", "_udp"].iter().any(|part| rest.contains(part)) || rest.ends_with("_port")
}

/// What may have been meant, of `known`.
fn hint(wrong: &str, known: impl Iterator<Item = String>) -> String {
    let near = nearest(wrong, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_else(|| ";".into());
    format!("{near} `tracewell config` lists all")
}

/// Every setting, with the options of the store that are set most often.
fn all_keys(settings: &Settings) -> impl Iterator<Item = String> {
    settings.keys().cloned().chain(storage::COMMON.iter().map(|name| format!("storage.{name}")))
}

/// A member of a table that takes any name, as the parameters of rules are; options of the store are known.
fn is_named_freely(settings: &Settings, key: &str) -> bool {
    key.rsplit_once('.')
        .is_some_and(|(table, _)| table != "storage" && settings.get(table).is_some_and(|(value, _)| value.is_table()))
}

/// A section that holds nothing: known by the settings that it could hold.
fn is_empty_section(settings: &Settings, key: &str, value: &Value) -> bool {
    let section = format!("{key}.");
    value.is_table() && (key == "storage" || settings.keys().any(|known| known.starts_with(&section)))
}

/// Every value, and every section that is empty.
fn leaves(table: &Table, prefix: &str, found: &mut impl FnMut(String, &Value)) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) if !inner.is_empty() => leaves(inner, &key, found),
            value => found(key, value),
        }
    }
}

fn set(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        None => {
            table.insert(key.to_owned(), value);
        }
        Some((section, rest)) => {
            if let Value::Table(inner) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
                set(inner, rest, value);
            }
        }
    }
}

/// Text to a value of the same type as `like`.
fn parse_like(like: &Value, text: &str) -> anyhow::Result<Value> {
    Ok(match like {
        Value::Integer(_) => Value::Integer(text.parse().context("a whole number is needed")?),
        Value::Boolean(_) => Value::Boolean(text.parse().context("true or false is needed")?),
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
        _ => Value::String(text.to_owned()),
    })
}

/// The known key nearest to a misspelt one, if it is near at all.
fn nearest(wrong: &str, known: impl Iterator<Item = String>) -> Option<String> {
    known
        .map(|key| {
            let last = key.rsplit('.').next().unwrap_or(&key);
            let distance = strsim::damerau_levenshtein(wrong, &key);
            (distance.min(strsim::damerau_levenshtein(wrong, last)), key)
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + wrong.len() / 3)
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> [(String, String); 0] {
        []
    }

    fn variables<const N: usize>(all: [(&str, &str); N]) -> [(String, String); N] {
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("it can be written");
        file
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let file =
            file("data = 'a'\n[ingest]\nshards = 1\ncommit_interval = '250ms'\n[listen]\nhttp = '127.0.0.1:1'\n");
        let environment = variables([("TRACEWELL_INGEST_SHARDS", "2"), ("TRACEWELL_LISTEN_HTTP", "127.0.0.1:2")]);
        let flags = [Flag { key: "listen.http", name: "--http", value: "127.0.0.1:3".into() }];
        let effective = load(Some(file.path()), environment, &flags).expect("it is valid");
        assert_eq!(effective.config.data, "a");
        assert_eq!(effective.config.ingest.shards, 2);
        assert_eq!(effective.config.ingest.commit_interval.get(), std::time::Duration::from_millis(250));
        assert_eq!(effective.config.listen.http.to_string(), "127.0.0.1:3");
        assert_eq!(effective.config.listen.otlp_grpc.to_string(), "127.0.0.1:4317");
        assert_eq!(effective.source("data"), &Source::File(file.path().to_owned()));
        assert_eq!(effective.source("ingest.shards"), &Source::Environment("TRACEWELL_INGEST_SHARDS".into()));
        assert_eq!(effective.source("listen.http"), &Source::Flag("--http"));
        assert_eq!(effective.source("query.timeout"), &Source::Default);
    }

    #[test]
    fn a_misspelt_key_is_an_error_that_names_the_right_one() {
        let file = file("[ingest]\nshard = 1\n");
        let error = load(Some(file.path()), none(), &[]).expect_err("there is no such key").to_string();
        assert!(error.contains("`ingest.shard`") && error.contains("`ingest.shards`"), "{error}");
    }

    #[test]
    fn a_wrong_value_says_where_it_comes_from() {
        let environment = variables([("TRACEWELL_QUERY_CONCURRENT", "many")]);
        let error = format!("{:#}", load(None, environment, &[]).expect_err("`many` is no number"));
        assert!(error.contains("TRACEWELL_QUERY_CONCURRENT") && error.contains("whole number"), "{error}");
    }

    /// What is said of a file.
    fn refused(text: &str) -> String {
        let file = file(text);
        let error = format!("{:#}", load(Some(file.path()), none(), &[]).expect_err(text));
        assert!(error.contains(&file.path().display().to_string()), "{error}");
        error
    }

    #[test]
    fn values_that_would_hang_spin_or_refuse_all_are_errors_that_name_the_setting() {
        for (section, setting) in [
            ("query", "concurrent = 0"),
            ("query", "timeout = \"0s\""),
            ("ingest", "memory = \"0B\""),
            ("ingest", "shards = 100000"),
            ("ingest", "commit_interval = \"0s\""),
            ("ingest", "commit_interval = \"100000y\""),
            ("ingest", "shards = \"many\""),
            ("ingest", "origins = [\"https://app.example/\"]"),
            ("maintenance", "interval = \"0s\""),
            ("maintenance", "file_size = 1.5"),
            ("listen", "http = \"4320\""),
            ("listen", "http = \"localhost:port\""),
        ] {
            let error = refused(&format!("[{section}]\n{setting}\n"));
            assert!(error.contains(&format!("`{section}.{setting}` is wrong")), "{error}");
        }
        let flags = [Flag { key: "query.concurrent", name: "--queries", value: "0".into() }];
        let error = load(None, none(), &flags).expect_err("no query would ever run").to_string();
        assert!(error.contains("flag --queries") && error.contains("at least 1"), "{error}");
    }

    #[test]
    fn keys_and_sections_that_are_not_there_are_errors_wherever_they_stand() {
        assert!(refused("[ingset]\n").contains("did you mean `ingest"));
        assert!(refused("[ingest]\n[ingest.wal]\n").contains("no setting `ingest.wal`"));
        assert!(refused("ingest = 3\n").contains("no setting `ingest`; `tracewell config` lists all"));
        assert!(refused("[storage]\naws_regoin = 'x'\n").contains("did you mean `storage.aws_region`?"));
        assert!(load(Some(file("[ingest]\n[storage]\n").path()), none(), &[]).is_ok());

        let near = [
            ("TRACEWELL_INGEST_SHARD", "TRACEWELL_INGEST_SHARDS"),
            ("TRACEWELL_DTA", "TRACEWELL_DATA"),
            ("TRACEWELL_STORAGE_AWS_REGOIN", "TRACEWELL_STORAGE_AWS_REGION"),
        ];
        for (wrong, right) in near {
            let error = load(None, variables([(wrong, "3")]), &[]).expect_err(wrong).to_string();
            assert!(
                error.contains(&format!("`{wrong}`")) && error.contains(&format!("did you mean `{right}`?")),
                "{error}"
            );
        }
        let others = variables([
            ("TRACEWELL_LOG", "debug"),
            ("TRACEWELL_SERVER", "http://127.0.0.1:1"),
            ("TRACEWELL_PORT_4317_TCP", "tcp://10.0.0.1:4317"),
            ("TRACEWELL_INGEST_SERVICE_HOST", "10.0.0.1"),
            ("TRACEWELL_PYTHON", "python3"),
            ("PATH", "/bin"),
        ]);
        assert!(load(None, others, &[]).is_ok());
    }

    #[test]
    fn options_of_the_store_come_from_the_file_and_the_environment_in_any_case() {
        let file = file("[storage]\nAWS_Region = 'a'\naws_endpoint = 'b'\n");
        let environment =
            variables([("TRACEWELL_STORAGE_AWS_REGION", "c"), ("TRACEWELL_STORAGE_AWS_ALLOW_HTTP", "true")]);
        let storage = load(Some(file.path()), environment, &[]).expect("it is valid").config.storage;
        let expected = [("aws_allow_http", "true"), ("aws_endpoint", "b"), ("aws_region", "c")];
        assert_eq!(storage.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn values_of_rules_parameters_have_the_names_that_rules_give_them() {
        let file = file("[evaluate]\nparameters = { seconds = '20', most = '3' }\n[storage]\naws_region = 'a'\n");
        let effective = load(Some(file.path()), none(), &[]).expect("it is valid");
        let parameters = &effective.config.evaluate.parameters;
        let expected = [("most", "3"), ("seconds", "20")];
        assert_eq!(parameters.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(effective.source("evaluate.parameters.most"), &Source::File(file.path().to_owned()));
        for table in ["evaluate.parameters", "storage"] {
            assert!(!effective.settings.contains_key(table), "{table} would be printed twice");
        }
        assert!(refused("[evaluate.parameters.seconds]\nof = '20'\n").contains("no setting `evaluate.parameters"));
        assert!(refused("[evaluate.parameters]\nseconds = 20\n").contains("`evaluate.parameters.seconds = 20`"));
    }
}
