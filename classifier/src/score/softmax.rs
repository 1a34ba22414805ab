//! Scores → probabilities, safe for any finite scores.

/// ln Σ exp(zᵢ), by the largest term so that nothing overflows; −∞ for no scores.
pub(crate) fn log_sum_exp(scores: &[f64]) -> f64 {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !largest.is_finite() {
        return largest;
    }
    largest + scores.iter().map(|score| (score - largest).exp()).sum::<f64>().ln()
}

/// Replaces scores by exp(zᵢ/s) / Σ exp(zⱼ/s).
pub(crate) fn softmax(scores: &mut [f64], scale: f64) {
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = ((*score - largest) / scale).exp();
        sum += *score;
    }
    for score in scores.iter_mut() {
        *score /= sum;
    }
}

/// Index and value of the largest and the second largest; ties go to the lower index.
pub(crate) fn top_two(values: impl Iterator<Item = f64>) -> [Option<(usize, f64)>; 2] {
    let mut top: [Option<(usize, f64)>; 2] = [None, None];
    for (i, value) in values.enumerate() {
        let [first, second] = top;
        if first.is_none_or(|(_, best)| value > best) {
            top = [Some((i, value)), first];
        } else if second.is_none_or(|(_, best)| value > best) {
            top = [first, Some((i, value))];
        }
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_negative_scores_stay_finite() {
        let mut scores = [-2_500.0, -2_501.0, -9_000.0];
        assert!((log_sum_exp(&scores) - (-2_500.0 + (1.0 + (-1.0f64).exp()).ln())).abs() < 1e-9);
        softmax(&mut scores, 1.0);
        assert!((scores.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(scores[0] > 0.73 && scores[0] < 0.74);
    }

    #[test]
    fn ties_go_to_the_lower_index() {
        assert_eq!(top_two([1.0, 3.0, 3.0].into_iter()), [Some((1, 3.0)), Some((2, 3.0))]);
        assert_eq!(top_two([2.0].into_iter()), [Some((0, 2.0)), None]);
        assert_eq!(top_two([].into_iter()), [None, None]);
    }
}
