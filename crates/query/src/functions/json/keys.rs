//! `json_object_keys(json)`, of attributes too: those are maps.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};
use datafusion_functions_json::udfs;

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(Keys { inner: udfs::json_object_keys_udf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Keys {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Keys {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [map @ DataType::Map(..)] => Ok(DataType::List(key(map)?)),
            _ => self.inner.return_type(types),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !matches!(arguments.args.as_slice(), [map] if matches!(map.data_type(), DataType::Map(..))) {
            return self.inner.invoke_with_args(arguments);
        }
        let map = arguments.args[0].to_array(arguments.number_rows)?;
        let maps = map.as_map();
        let (offsets, keys) = (maps.offsets().clone(), Arc::clone(maps.keys()));
        let lists = ListArray::try_new(key(map.data_type())?, offsets, keys, maps.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// What the keys of a map are as items of a list.
fn key(map: &DataType) -> Result<FieldRef> {
    let DataType::Map(entries, _) = map else { return plan_err!("attributes are a map") };
    match entries.data_type() {
        DataType::Struct(fields) if !fields.is_empty() => {
            Ok(Arc::new(Field::new_list_field(fields[0].data_type().clone(), true)))
        }
        _ => plan_err!("a map has keys"),
    }
}
