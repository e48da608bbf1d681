//! How members of a record are written.

use std::collections::BTreeMap;

macro_rules! records {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(default)]
            #[allow(missing_docs, reason = "columns of the published schema say the rest")]
            pub struct $name { $($(#[$field_doc])* #[serde(skip_serializing_if = "is_unsaid")] pub $field: $kind,)+ }
        )+
    };
}

/// What says nothing is not written: no value, and a list without members.
pub(super) trait Unsaid {
    fn unsaid(&self) -> bool {
        false
    }
}
impl<T> Unsaid for Option<T> {
    fn unsaid(&self) -> bool {
        self.is_none()
    }
}
impl<T> Unsaid for Vec<T> {
    fn unsaid(&self) -> bool {
        self.is_empty()
    }
}
impl<K, V> Unsaid for BTreeMap<K, V> {
    fn unsaid(&self) -> bool {
        self.is_empty()
    }
}
macro_rules! always_said {
    ($($kind:ty),+) => { $(impl $crate::record::form::Unsaid for $kind {})+ };
}
always_said!(u32, u64, usize, i64, bool, String);

pub(super) fn is_unsaid(value: &impl Unsaid) -> bool {
    value.unsaid()
}
