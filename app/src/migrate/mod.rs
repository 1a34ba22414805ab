//! An installation moved to another log, or another layout on its log, with its states.

#[cfg(feature = "cluster")]
mod claims;
#[cfg(feature = "cluster")]
mod minutes;
#[cfg(feature = "cluster")]
mod moving;
#[cfg(feature = "cluster")]
mod records;
mod states;
mod topology;

#[cfg(feature = "cluster")]
pub(crate) use self::moving::run;
pub(crate) use self::topology::{change, show};
