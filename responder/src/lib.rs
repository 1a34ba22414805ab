//! What is said and done: the pure planner, and the effects that touch the world.
//!
//! `plan` reads `conversations` and writes `replies`; `act` reads `actions`, `deliver` reads
//! `replies`, and both tell `inbound` what came of it; `mirror` shows `conversations` elsewhere. Invariant: no route is decided here.

pub mod act;
pub mod catalogue;
pub mod deliver;
pub mod mirror;
mod once;
mod outcome;
pub mod plan;
pub mod split;
mod suggest;
pub mod template;

pub use act::Act;
pub use catalogue::{Catalogue, CatalogueError};
pub use deliver::Deliver;
pub use mirror::Mirror;
pub use plan::{Plan, PlanOut};
pub use suggest::{Suggestion, TemplateText};
