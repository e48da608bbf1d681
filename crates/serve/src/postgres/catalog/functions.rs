//! Functions that clients of PostgreSQL take for granted.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_pg_catalog::pg_catalog::PgCatalogStaticTables;
use tracewell_requests::postgres::settings::{SERVER_VERSION, changes_nothing};

use super::names::{Names, SCHEMAS, schema_name};

type Work = Arc<dyn Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync>;

/// A function of any arguments.
struct Function {
    name: &'static str,
    signature: Signature,
    returns: DataType,
    work: Work,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = arguments.args.iter().map(|value| value.to_array(arguments.number_rows));
        let found = (self.work)(&arrays.collect::<Result<Vec<_>>>()?, arguments.number_rows)?;
        // Of constants comes a constant.
        if arguments.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_))) && !found.is_empty() {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&found, 0)?));
        }
        Ok(ColumnarValue::Array(found))
    }
}

fn function(
    name: &'static str,
    arguments: &[usize],
    returns: DataType,
    work: impl Fn(&[ArrayRef], usize) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let of = |count: &usize| if *count == 0 { TypeSignature::Nullary } else { TypeSignature::Any(*count) };
    let signature = Signature::one_of(arguments.iter().map(of).collect(), Volatility::Stable);
    ScalarUDF::from(Function { name, signature, returns, work: Arc::new(work) })
}

/// A function that always gives the same.
fn constant(name: &'static str, arguments: &[usize], value: ScalarValue) -> ScalarUDF {
    function(name, arguments, value.data_type(), move |_, rows| value.to_array_of_size(rows))
}

/// A function of a number that gives a text.
fn of_number(
    name: &'static str,
    arguments: &[usize],
    work: impl Fn(i64) -> Option<String> + Send + Sync + 'static,
) -> ScalarUDF {
    function(name, arguments, DataType::Utf8, move |values, _| {
        let numbers = numbers(&values[0])?;
        Ok(Arc::new(numbers.iter().map(|number| work(number?)).collect::<StringArray>()))
    })
}

/// A function of a text.
fn of_text<T, A>(
    name: &'static str,
    arguments: &[usize],
    returns: DataType,
    work: impl Fn(&str) -> Result<Option<T>> + Send + Sync + 'static,
) -> ScalarUDF
where
    A: FromIterator<Option<T>> + Array + 'static,
{
    function(name, arguments, returns, move |values, _| {
        let texts = cast(&values[0], &DataType::Utf8)?;
        let found = texts.as_string::<i32>().iter().map(|text| text.map_or(Ok(None), &work));
        Ok(Arc::new(found.collect::<Result<A>>()?))
    })
}

fn numbers(values: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(values, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
}

/// Functions that are the same for all connections.
pub(super) fn all(names: &Arc<Names>, fixed: &PgCatalogStaticTables) -> Result<Vec<ScalarUDF>> {
    let mut functions = vec![
        constant("version", &[0], ScalarValue::from(version())),
        constant("pg_is_in_recovery", &[0], ScalarValue::from(false)),
        constant("pg_my_temp_schema", &[0], ScalarValue::from(0_i32)),
        constant("pg_advisory_unlock_all", &[0], ScalarValue::Utf8(None)),
        constant("pg_get_serial_sequence", &[2], ScalarValue::Utf8(None)),
        constant("pg_get_indexdef", &[1, 3], ScalarValue::Utf8(None)),
        constant("pg_get_triggerdef", &[1, 2], ScalarValue::Utf8(None)),
        constant("pg_get_ruledef", &[1, 2], ScalarValue::Utf8(None)),
        constant("pg_get_functiondef", &[1], ScalarValue::Utf8(None)),
        constant("pg_get_function_result", &[1], ScalarValue::Utf8(None)),
        constant("pg_get_function_arguments", &[1], ScalarValue::Utf8(None)),
        constant("pg_get_function_identity_arguments", &[1], ScalarValue::Utf8(None)),
        constant("pg_get_function_sqlbody", &[1], ScalarValue::Utf8(None)),
        constant("getdatabaseencoding", &[0], ScalarValue::from("UTF8")),
        constant("pg_char_to_encoding", &[1], ScalarValue::from(6_i32)),
        constant("shobj_description", &[2], ScalarValue::Utf8(None)),
        constant("pg_tablespace_location", &[1], ScalarValue::Utf8(None)),
        constant("pg_describe_object", &[3], ScalarValue::Utf8(None)),
        constant("pg_tablespace_size", &[1], ScalarValue::Int64(None)),
        constant("pg_table_size", &[1], ScalarValue::Int64(None)),
        constant("pg_database_size", &[1], ScalarValue::Int64(None)),
        constant("pg_size_pretty", &[1], ScalarValue::Utf8(None)),
        constant("pg_relation_is_publishable", &[1], ScalarValue::from(false)),
        constant("has_column_privilege", &[3, 4], ScalarValue::from(true)),
        constant("has_function_privilege", &[2, 3], ScalarValue::from(true)),
        constant("has_schema_privilege", &[2, 3], ScalarValue::from(true)),
        constant("has_table_privilege", &[2, 3], ScalarValue::from(true)),
        constant("has_database_privilege", &[2, 3], ScalarValue::from(true)),
        constant("has_any_column_privilege", &[2, 3], ScalarValue::from(true)),
        of_number("pg_get_userbyid", &[1], |_| Some(super::DATABASE.to_owned())),
    ];
    const VISIBLE: [&str; 11] = [
        "pg_table_is_visible",
        "pg_type_is_visible",
        "pg_function_is_visible",
        "pg_operator_is_visible",
        "pg_opclass_is_visible",
        "pg_opfamily_is_visible",
        "pg_collation_is_visible",
        "pg_conversion_is_visible",
        "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible",
        "pg_statistics_obj_is_visible",
    ];
    let known = Arc::clone(names);
    // What is in the path is found without its schema: all of ours.
    functions.extend(VISIBLE.map(|name| {
        let known = Arc::clone(&known);
        function(name, &[1], DataType::Boolean, move |values, _| {
            let hidden =
                |oid: i64| known.by_oid(oid).is_some_and(|name| schema_name(name.schema) == "information_schema");
            Ok(Arc::new(numbers(&values[0])?.iter().map(|oid| Some(!hidden(oid?))).collect::<BooleanArray>()))
        })
    }));
    let known = Arc::clone(names);
    functions.push(of_number("pg_get_viewdef", &[1, 2], move |oid| Some(known.by_oid(oid)?.definition?.to_owned())));
    let known = Arc::clone(names);
    functions.push(function("obj_description", &[1, 2], DataType::Utf8, move |values, _| {
        let docs = numbers(&values[0])?;
        Ok(Arc::new(docs.iter().map(|oid| known.by_oid(oid?)?.doc).collect::<StringArray>()))
    }));
    let known = Arc::clone(names);
    functions.push(function("col_description", &[2], DataType::Utf8, move |values, _| {
        let (tables, columns) = (numbers(&values[0])?, numbers(&values[1])?);
        let docs = tables.iter().zip(columns.iter()).map(|(table, column)| {
            let (table, column) = (known.by_oid(table?)?, column?);
            table.columns.iter().find(|known| i64::from(known.number) == column)?.doc
        });
        Ok(Arc::new(docs.collect::<StringArray>()))
    }));
    functions.extend(lookups(names, fixed));
    Ok(functions)
}

/// Numbers of what goes by a name, and names of what goes by a number.
fn lookups(names: &Arc<Names>, fixed: &PgCatalogStaticTables) -> Vec<ScalarUDF> {
    let number = |text: &str| text.parse::<i32>().ok();
    let known = Arc::clone(names);
    let to_class = of_text::<_, Int32Array>("to_regclass", &[1], DataType::Int32, move |text| {
        Ok(number(text).or_else(|| known.by_name(text).map(|name| name.oid)))
    });
    let to_schema = of_text::<_, Int32Array>("to_regnamespace", &[1], DataType::Int32, move |text| {
        Ok(number(text).or_else(|| SCHEMAS.iter().find(|(_, name)| *name == text).map(|(oid, _)| *oid)))
    });
    let types = by_name(fixed.pg_type.data(), "typname");
    let to_type = of_text::<_, Int32Array>("to_regtype", &[1], DataType::Int32, move |text| {
        let plain = text.trim_start_matches("pg_catalog.").trim_matches('"');
        let name = match plain {
            "boolean" => "bool",
            "smallint" => "int2",
            "integer" | "int" => "int4",
            "bigint" => "int8",
            "real" => "float4",
            "double precision" => "float8",
            "decimal" => "numeric",
            "character varying" => "varchar",
            "timestamp with time zone" => "timestamptz",
            "timestamp without time zone" => "timestamp",
            other => other,
        };
        Ok(number(text).or_else(|| types.get(name).copied()))
    });
    let procedures = by_name(fixed.pg_proc.data(), "proname");
    let to_procedure = of_text::<_, Int32Array>("to_regproc", &[1], DataType::Int32, move |text| {
        Ok(number(text).or_else(|| procedures.get(text.trim_start_matches("pg_catalog.")).copied()))
    });
    let known = Arc::clone(names);
    let class_name = of_number("tracewell_regclass_name", &[1], move |oid| {
        Some(known.by_oid(oid).map_or_else(|| oid.to_string(), |name| name.name.clone()))
    });
    vec![to_class, to_schema, to_type, to_procedure, class_name, like_pattern()]
}

/// `tracewell_like_pattern(pattern, escape)`: the pattern with backslashes in place of its own escape character.
fn like_pattern() -> ScalarUDF {
    function("tracewell_like_pattern", &[2], DataType::Utf8, |values, _| {
        let (patterns, escapes) = (cast(&values[0], &DataType::Utf8)?, cast(&values[1], &DataType::Utf8)?);
        let translated = patterns.as_string::<i32>().iter().zip(escapes.as_string::<i32>().iter()).map(|pair| {
            let (pattern, escape) = (pair.0?, pair.1?.chars().next());
            let mut translated = String::with_capacity(pattern.len());
            let mut characters = pattern.chars();
            while let Some(character) = characters.next() {
                if Some(character) == escape {
                    translated.push('\\');
                    translated.extend(characters.next());
                } else if character == '\\' {
                    translated.push_str("\\\\");
                } else {
                    translated.push(character);
                }
            }
            Some(translated)
        });
        Ok(Arc::new(translated.collect::<StringArray>()))
    })
}

fn by_name(batches: &[datafusion::arrow::array::RecordBatch], column: &str) -> HashMap<String, i32> {
    let mut found = HashMap::new();
    for batch in batches {
        let (Some(names), Some(numbers)) = (batch.column_by_name(column), batch.column_by_name("oid")) else {
            continue;
        };
        let (Ok(names), Ok(numbers)) = (cast(names, &DataType::Utf8), cast(numbers, &DataType::Int64)) else {
            continue;
        };
        for (name, number) in names.as_string::<i32>().iter().zip(numbers.as_primitive::<Int64Type>().iter()) {
            if let (Some(name), Some(number)) = (name, number.and_then(|number| i32::try_from(number).ok())) {
                found.entry(name.to_owned()).or_insert(number);
            }
        }
    }
    found
}

/// Functions that tell of the connection.
pub(super) fn of_session(user: &str, settings: Vec<(String, String)>) -> Vec<ScalarUDF> {
    let current = function("current_setting", &[1, 2], DataType::Utf8, move |values, _| {
        let names = cast(&values[0], &DataType::Utf8)?;
        let missing_ok = match values.get(1) {
            Some(values) => cast(values, &DataType::Boolean)?.as_boolean().iter().all(|value| value == Some(true)),
            None => false,
        };
        let found = names.as_string::<i32>().iter().map(|name| {
            let Some(name) = name else { return Ok(None) };
            match settings.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
                Some((_, value)) => Ok(Some(value.clone())),
                None if missing_ok => Ok(None),
                None => exec_err!("unrecognized configuration parameter \"{name}\""),
            }
        });
        Ok(Arc::new(found.collect::<Result<StringArray>>()?))
    });
    vec![
        current,
        set_config(),
        constant("session_user", &[0], ScalarValue::from(user)),
        constant("current_database", &[0], ScalarValue::from(super::DATABASE)),
    ]
}

/// `set_config(name, value, local)` for settings that change nothing here, as drivers send them.
fn set_config() -> ScalarUDF {
    function("set_config", &[3], DataType::Utf8, |values, _| {
        let names = cast(&values[0], &DataType::Utf8)?;
        for name in names.as_string::<i32>().iter().flatten() {
            if !changes_nothing(name) {
                return exec_err!("set_config cannot set \"{name}\"; use SET {name} = …");
            }
        }
        Ok(cast(&values[1], &DataType::Utf8)?)
    })
}

/// What `version()` answers. Drivers read the first number.
fn version() -> String {
    format!("PostgreSQL {SERVER_VERSION} (Tracewell {})", env!("CARGO_PKG_VERSION"))
}
