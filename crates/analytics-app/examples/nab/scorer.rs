//! The score of the Numenta Anomaly Benchmark, as published: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection
//! Algorithms" (2015), with the weights and the probation of version 1.1.
//!
//! A detection inside a labelled window earns, once a window, the more the earlier it comes; every other detection costs
//! its weight, less just after a window; a window without a detection costs its weight. The first 15 % of a series, at
//! most 750 rows, are not scored. The sum over the corpus is scaled so that no detection at all is 0 and a detection at
//! the beginning of every window, with no other, is 100.

/// What hits and misses weigh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Profile {
    pub(crate) name: &'static str,
    hit: f64,
    false_alarm: f64,
    miss: f64,
}

/// A row of a series under one profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    score: f64,
    /// What a detection here earns, or costs.
    worth: f64,
    window: Option<usize>,
}

/// The rows of one series that are scored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scored {
    rows: Vec<Row>,
    windows: usize,
}

impl Profile {
    pub(crate) const ALL: [Self; 3] = [
        Self { name: "standard", hit: 1.0, false_alarm: 0.11, miss: 1.0 },
        Self { name: "reward_low_FP_rate", hit: 1.0, false_alarm: 0.22, miss: 1.0 },
        Self { name: "reward_low_FN_rate", hit: 1.0, false_alarm: 0.11, miss: 2.0 },
    ];

    /// The rows after probation with their scores and worths. Windows are first and last rows, in order.
    pub(crate) fn scored(&self, scores: &[f64], windows: &[(usize, usize)]) -> Scored {
        let probation = (scores.len() * 15 / 100).min(750);
        let row = |at: usize| {
            let window = windows.iter().position(|&(first, last)| (first..=last).contains(&at));
            let before = windows.iter().rfind(|&&(_, last)| last < at);
            let worth = match (window.map(|number| windows[number]), before) {
                (Some((first, last)), _) => {
                    let place = -((last - at + 1) as f64) / (last - first + 1) as f64;
                    self.hit * scaled_sigmoid(place) / scaled_sigmoid(-1.0)
                }
                (None, None) => -self.false_alarm,
                (None, Some(&(first, last))) => {
                    let place = (at - last) as f64 / (last - first).max(1) as f64;
                    self.false_alarm * scaled_sigmoid(place)
                }
            };
            Row { score: scores[at], worth, window }
        };
        Scored { rows: (probation..scores.len()).map(row).collect(), windows: windows.len() }
    }

    /// The raw score of one series at this threshold.
    pub(crate) fn raw(&self, scored: &Scored, threshold: f64) -> f64 {
        let mut best: Vec<Option<f64>> = vec![None; scored.windows];
        let mut sum = 0.0;
        for row in &scored.rows {
            let detected = row.score >= threshold;
            match row.window {
                None if detected => sum += row.worth,
                None => {}
                Some(window) => {
                    let best = best[window].get_or_insert(-self.miss);
                    if detected {
                        *best = best.max(row.worth);
                    }
                }
            }
        }
        sum + best.into_iter().flatten().sum::<f64>()
    }

    /// The threshold that is best for all these series together. Above every score, where detecting nothing is best.
    pub(crate) fn tuned(&self, corpus: &[&Scored]) -> f64 {
        let mut rows: Vec<(f64, usize, Row)> = Vec::new();
        let mut best: Vec<Vec<Option<f64>>> = Vec::new();
        for (series, scored) in corpus.iter().enumerate() {
            let mut windows = vec![None; scored.windows];
            for row in &scored.rows {
                if let Some(window) = row.window {
                    windows[window] = Some(-self.miss);
                }
                rows.push((row.score, series, *row));
            }
            best.push(windows);
        }
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut sum: f64 = best.iter().flatten().flatten().sum();
        let (mut threshold, mut most) = (ABOVE_ALL, sum);
        for (at, &(score, series, row)) in rows.iter().enumerate() {
            match row.window {
                None => sum += row.worth,
                Some(window) => {
                    if let Some(best) = &mut best[series][window] {
                        sum += (row.worth - *best).max(0.0);
                        *best = best.max(row.worth);
                    }
                }
            }
            let last_of_its_score = rows.get(at + 1).is_none_or(|next| next.0 < score);
            if last_of_its_score && sum > most {
                (threshold, most) = (score, sum);
            }
        }
        threshold
    }

    /// The raw sum over series with this many windows in all, scaled: 0 for no detection, 100 for perfect ones. `None`
    /// without a window.
    pub(crate) fn normalised(&self, raw: f64, windows: usize) -> Option<f64> {
        let (null, perfect) = (-self.miss * windows as f64, self.hit * windows as f64);
        (windows > 0).then(|| 100.0 * (raw - null) / (perfect - null))
    }
}

/// From nearly 1 at the beginning of a window (-1) over 0 at its end to -1 three windows after it.
fn scaled_sigmoid(place: f64) -> f64 {
    if place >= 3.0 { -1.0 } else { 2.0 / (1.0 + libm::exp(5.0 * place)) - 1.0 }
}

/// No score is above 1.
const ABOVE_ALL: f64 = 1.1;

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Profile = Profile::ALL[0];

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// The score of a corpus of one series of 1,000 rows with detections at these rows.
    fn score(profile: Profile, windows: &[(usize, usize)], detections: &[usize]) -> f64 {
        let mut scores = vec![0.0; 1_000];
        for &row in detections {
            scores[row] = 1.0;
        }
        let rows = profile.scored(&scores, windows);
        profile.normalised(profile.raw(&rows, 0.5), windows.len()).unwrap()
    }

    #[test]
    fn the_null_detector_has_0_and_the_perfect_one_100_in_every_profile() {
        let windows = [(200, 299), (500, 549), (900, 999)];
        for profile in Profile::ALL {
            assert!(near(score(profile, &windows, &[]), 0.0));
            assert!(near(score(profile, &windows, &[200, 500, 900]), 100.0));
            assert!(near(score(profile, &windows, &[200, 201, 299, 500, 900]), 100.0), "once a window");
        }
    }

    #[test]
    fn a_hit_earns_the_more_the_earlier_it_comes() {
        let at = |row| score(STANDARD, &[(500, 599)], &[row]);
        // At -0.5 and at -0.01 of a window of 100 rows: 2/(1+e^-2.5)-1 = 0.848284, 2/(1+e^-0.05)-1 = 0.024995; of 0.986614.
        assert!(near(at(550), 50.0 * (1.0 + 0.848_283_639_957_513 / 0.986_614_298_151_430)));
        assert!(near(at(599), 50.0 * (1.0 + 0.024_994_792_968_420_7 / 0.986_614_298_151_430)));
    }

    #[test]
    fn a_false_alarm_costs_its_weight_and_less_just_after_a_window() {
        // One window: 100 points are 2, so 0.11 is 5.5 points.
        assert!(near(score(STANDARD, &[(500, 599)], &[400]), -5.5));
        assert!(near(score(STANDARD, &[(500, 599)], &[400, 401, 402]), -16.5));
        // 99 rows after the end of a window of 100 rows is one width: 2/(1+e^5)-1.
        assert!(near(score(STANDARD, &[(500, 599)], &[698]), -5.5 * 0.986_614_298_151_430));
        assert!(near(score(STANDARD, &[(500, 599)], &[599 + 3 * 99]), -5.5));
        assert!(near(score(Profile::ALL[1], &[(500, 599)], &[400]), -11.0));
        // Missing costs 2 there, so 100 points are 3.
        assert!(near(score(Profile::ALL[2], &[(500, 599)], &[400]), -11.0 / 3.0));
    }

    #[test]
    fn nothing_counts_in_the_first_15_percent_and_750_rows_at_most() {
        assert!(near(score(STANDARD, &[(500, 599)], &[0, 149]), 0.0));
        assert!(near(score(STANDARD, &[(500, 599)], &[150]), -5.5));
        let scored = STANDARD.scored(&vec![0.0; 10_000], &[]);
        assert_eq!(scored.rows.len(), 9_250);
        // A window that begins in probation can be hit after it; what is hit before does not count.
        assert!(near(score(STANDARD, &[(100, 199)], &[120]), 0.0));
        assert!(score(STANDARD, &[(100, 199)], &[150]) > 90.0);
    }

    #[test]
    fn the_threshold_is_tuned_once_for_all_series() {
        let mut early = vec![0.0; 1_000];
        (early[500], early[700]) = (0.9, 0.3);
        let mut late = vec![0.0; 1_000];
        (late[500], late[300], late[310]) = (0.6, 0.4, 0.4);
        let windows = [(500, 599)];
        let (early, late) = (STANDARD.scored(&early, &windows), STANDARD.scored(&late, &windows));
        let threshold = STANDARD.tuned(&[&early, &late]);
        assert!(near(threshold, 0.6));
        let raw = STANDARD.raw(&early, threshold) + STANDARD.raw(&late, threshold);
        assert!(near(STANDARD.normalised(raw, 2).unwrap(), 100.0));
        let noise = STANDARD.scored(&vec![0.5; 1_000], &[]);
        assert!(
            near(STANDARD.tuned(&[&noise]), ABOVE_ALL),
            "detecting nothing is best where there is nothing"
        );
    }

    #[test]
    fn no_other_threshold_is_better_than_the_tuned_one() {
        let scores: Vec<f64> = (0..1_000u64).map(|row| (row * 7_919 % 1_000) as f64 / 1_000.0).collect();
        for profile in Profile::ALL {
            let rows = profile.scored(&scores, &[(200, 299), (640, 700)]);
            let tuned = profile.raw(&rows, profile.tuned(&[&rows]));
            for threshold in (0..=1_100).map(|step| f64::from(step) / 1_000.0) {
                assert!(profile.raw(&rows, threshold) <= tuned + 1e-9, "{} at {threshold}", profile.name);
            }
        }
    }
}
