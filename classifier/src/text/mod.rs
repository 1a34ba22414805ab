//! Text → tokens: the one normaliser that training and serving share.

pub(crate) mod clauses;
pub(crate) mod concepts;
pub(crate) mod fold;
pub(crate) mod number;
pub(crate) mod slang;
pub(crate) mod stance;
pub(crate) mod tokens;
