//! Plans of our own, and the rules that put them among those of DataFusion.

pub(crate) mod compact;
pub(crate) mod in_turn;
pub(crate) mod pieces;
pub(crate) mod through;
pub(crate) mod yielding;
