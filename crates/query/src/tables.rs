//! What queries read: the tables at one moment, and what DataFusion is to know of them.

pub(crate) mod dated;
pub(crate) mod derived;
pub(crate) mod described;
pub(crate) mod filters;
pub(crate) mod fresh;
pub(crate) mod held;
pub(crate) mod lookup;
pub(crate) mod one_of;
pub(crate) mod provider;
pub mod published;
pub(crate) mod relation;
pub mod settled;
pub(crate) mod source;
pub(crate) mod view;
pub(crate) mod warm;
