//! Which recipe suits data nobody has looked at: a small fixed grid, judged on held-out rows.

use super::calibration::judge_class;
use super::card::Trial;
use super::documents::Documents;
use super::held_out::HeldOut;
use crate::calibrate::metrics::macro_f1;
use crate::features::recipe::Recipe;

/// Rows × classes over which only a fifth of the folds is held out for each trial: keeps large sets
/// quick, and on small ones a choice needs every row.
const FEW_FOLDS_OVER: usize = 200_000;

/// The recipe with the best mean of accuracy and macro-F1 on held-out in-scope rows, and what every
/// recipe reached. Ties go to the earlier one; a single candidate is taken untried.
pub(crate) fn choose(
    mut candidates: Vec<Recipe>,
    documents: &Documents,
    labels: &[usize],
    classes: usize,
    oos: Option<usize>,
    folds: &[usize],
) -> (Recipe, Vec<Trial>) {
    if candidates.len() == 1
        && let Some(only) = candidates.pop()
    {
        return (only, Vec::new());
    }
    let all = folds.iter().max().map_or(1, |last| last + 1);
    let is_large = labels.len() * classes > FEW_FOLDS_OVER;
    let wanted = if is_large { all.div_ceil(5) } else { all };
    let trials: Vec<Trial> = candidates
        .into_iter()
        .map(|recipe| {
            let held = HeldOut::score(documents, labels, classes, folds, 0..wanted, &recipe);
            let rows = labels.iter().zip(folds).enumerate();
            let pairs: Vec<(usize, usize)> = rows
                .filter(|(_, (label, fold))| **fold < wanted && oos != Some(**label))
                .map(|(row, (label, _))| (*label, judge_class(held.evidence(row), oos)))
                .collect();
            let right = pairs.iter().filter(|(label, found)| label == found).count();
            let accuracy = right as f64 / (pairs.len() as f64).max(1.0);
            Trial { recipe, accuracy, macro_f1: macro_f1(&pairs, classes) }
        })
        .collect();
    let score = |trial: &Trial| trial.accuracy + trial.macro_f1;
    let best = trials.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b)));
    (best.map_or_else(Recipe::intent, |best| best.recipe.clone()), trials)
}
