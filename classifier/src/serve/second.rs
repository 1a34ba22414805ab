//! The second intent of a message that has just been judged as a whole.
//!
//! Invariant: reads the clauses into buffers of its own, so that what the whole message consists of
//! stays there to be explained; most messages are clear enough to need none of it.

use super::index::Index;
use super::score::score;
use super::scratch::Scratch;
use crate::artifact::model::Model;
use crate::calibrate::judge::Evidence;
use crate::calibrate::second::CLAUSES_MAX;
use crate::text::clauses::Clauses;

/// Names the second intent of `text`, whose scores are in `scratch`; `model` is the intent head, the
/// first of `index`.
pub(crate) fn name<'m>(
    index: &Index,
    model: &'m Model,
    text: &str,
    scratch: &mut Scratch,
) -> Option<&'m str> {
    let calibration = &model.header.calibration;
    let second = calibration.second.as_ref()?;
    let Scratch { heads: [whole, ..], by_clause, clauses, .. } = scratch;
    let judged = whole.judged;
    if judged.in_scope < 0.5 || !second.might_name(judged.class, &whole.probabilities) {
        return None;
    }
    Clauses::of(text).nth(1)?;
    let buffers = by_clause.get_or_insert_default();
    clauses.clear();
    for clause in Clauses::of(text).take(CLAUSES_MAX) {
        score(index, &[Some(model), None, None, None], clause, buffers);
        let [scored, ..] = &mut buffers.heads;
        let evidence = Evidence { scores: &scored.scores, reading: scored.reading };
        clauses.push(calibration.judge(evidence, &mut scored.probabilities));
    }
    second.name(judged.class, &whole.probabilities, clauses).map(|class| model.label(class))
}
