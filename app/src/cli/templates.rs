//! What may be asked of templates.

use clap::Subcommand;

/// `templates`
#[derive(Debug, Subcommand)]
pub enum Templates {
    /// Lists what the accounts' providers have.
    List,
    /// Tells which templates of the answer catalogue cannot be sent, and why: not known there, not
    /// approved, or with other gaps.
    Check,
}
