//! A baseline that learns what is ordinary for one series, value by value.
//!
//! [`Baseline::observe`] answers for each value how surprising it is, which values were expected, and whether an
//! anomaly is open and since when. It looks at nothing after the value, keeps a fixed amount of memory, and gives the
//! same answer for the same values on every machine.
//!
//! How it decides, in five steps:
//!
//! 1. What was expected: the mean of the same hour of the week, once three weeks are known and it foretells better; else
//!    that of the same hour of the day, once three days are known; else the level of the last days.
//! 2. How far the value is away, in four ways, each in units of what is usual for it: how far from the expectation; how
//!    far the values of the last hours were on one side of it; how much they moved; how far outside of all values known.
//!    No unit of the series is left in them.
//! 3. How unusual that is: the logarithm of each, against the mean and spread of its own past. Only what is above
//!    `hinge` spreads speaks, and what speaks is added.
//! 4. How rare that is: the sum is divided by a power of the number of times something as surprising was seen within the
//!    last weeks. What happens every day is no news.
//! 5. Whether it is news: what belongs to an incident that was told is held back for about `rest_seconds`, unless it is
//!    more surprising than the incident was.
//!
//! Steps 1 to 4 give the *surprise*, which opens and closes anomalies; step 5 gives the *score*.

mod policy;
mod rarity;
mod season;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use policy::{BaselinePolicy, BaselineSettings, InvalidBaselinePolicy};
use rarity::Rarity;
use season::Season;

use super::AnomalyLevel;
use super::number::{Band, Finite, UnitScore};

/// What is ordinary for one series, as far as its values have shown it.
///
/// It takes 4 KiB whatever the length of the series, and a value costs less than 0.5 µs (`docs/anomalies.md` has the
/// figures).
///
/// ```
/// use analytics_domain::anomaly::{Baseline, BaselinePolicy, SeriesKind};
/// use chrono::{DateTime, TimeDelta};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = BaselinePolicy::default();
/// let mut requests = Baseline::new(SeriesKind::Count);
/// let minute = |number| DateTime::UNIX_EPOCH + TimeDelta::minutes(number);
/// for number in 0..600 {
///     let reading = requests.observe(&policy, f64::from(90 + number as i32 % 20), minute(number))?;
///     assert!(reading.open_since.is_none());
/// }
/// requests.observe(&policy, 5_000.0, minute(600))?;
/// let flood = requests.observe(&policy, 5_000.0, minute(601))?;
/// assert_eq!(flood.open_since, Some(minute(600)));
/// assert!(requests.observe(&policy, f64::NAN, minute(602)).is_err());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    kind: SeriesKind,
    /// Values seen.
    values: u64,
    last_us: i64,
    /// Mean seconds between values.
    interval: f64,
    gains: Gains,
    /// Smallest step between two values that was ever seen; 0 before the first one.
    step: f64,
    last: f64,
    level: Mean,
    level_error: Mean,
    season: Season,
    season_error: Mean,
    /// Mean of what the expectation missed, over the last hours.
    lean: Mean,
    lean_error: Mean,
    /// Mean size of what the expectation missed, over the last hours and over days.
    unrest: Mean,
    usual_unrest: Mean,
    least: f64,
    most: f64,
    views: [View; VIEWS],
    rarity: Rarity,
    told: Told,
    state: State,
}

/// What the values of a series are, which says how far they scatter by chance alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeriesKind {
    /// Numbers of events: never negative, and their variance is at least their mean. They are looked at through
    /// Anscombe's transform 2√(x + 3/8), which gives them a spread of about 1 (Anscombe 1948).
    Count,
    /// Anything else: rates, latencies, costs, temperatures. Multiplying all values by a power of two changes no bit of
    /// any score.
    Gauge,
}

/// What a baseline says of one value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaselineReading {
    /// How much news the value is: 0 for none, 0.5 for as much as opens an anomaly, towards 1 for what was never seen.
    /// What belongs to an incident that was told before is no news.
    pub score: UnitScore,
    /// How surprising the value is by itself, on the same scale.
    pub surprise: UnitScore,
    /// Normal while no anomaly is open; else by how surprising the value is.
    pub level: AnomalyLevel,
    /// The values that were expected; `None` before there is anything to expect.
    pub expected: Option<Band>,
    /// Since when an anomaly is open; `None` while none is.
    pub open_since: Option<DateTime<Utc>>,
    /// What the value changed.
    pub change: Option<BaselineChange>,
}

/// What a value changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BaselineChange {
    /// An anomaly opened, with the second surprising value in a row.
    Opened,
    /// The anomaly closed, with the third quiet value in a row.
    Closed,
}

/// Why a value was not taken in. The baseline is as it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedValue {
    /// It is NaN or infinite.
    #[error("a value must be a finite number")]
    NotFinite,
    /// Its size is above 10³⁰⁰, where differences have no number any more.
    #[error("a value must not be larger than 1e300")]
    TooLarge,
    /// It is a count below 0.
    #[error("a count must not be negative")]
    Negative,
    /// Its time is before that of the value before.
    #[error("a value must not be earlier than the one before it")]
    Earlier,
}

impl Baseline {
    /// A baseline that knows nothing yet.
    pub fn new(kind: SeriesKind) -> Self {
        Self {
            kind,
            values: 0,
            last_us: i64::MIN,
            interval: 0.0,
            gains: Gains::default(),
            step: 0.0,
            last: 0.0,
            level: Mean::default(),
            level_error: Mean::default(),
            season: Season::default(),
            season_error: Mean::default(),
            lean: Mean::default(),
            lean_error: Mean::default(),
            unrest: Mean::default(),
            usual_unrest: Mean::default(),
            least: 0.0,
            most: 0.0,
            views: [View::default(); VIEWS],
            rarity: Rarity::default(),
            told: Told::default(),
            state: State::default(),
        }
    }

    /// Takes the next value in and says how it stands against everything before it. Values of the same time are
    /// taken in one after the other.
    ///
    /// # Errors
    /// [`RefusedValue`] for a value that is no number, too large, a negative count, or earlier than the one before.
    pub fn observe(
        &mut self,
        policy: &BaselinePolicy,
        value: f64,
        at: DateTime<Utc>,
    ) -> Result<BaselineReading, RefusedValue> {
        let x = self.kind.read(value)?;
        let at_us = at.timestamp_micros();
        if self.values > 0 && at_us < self.last_us {
            return Err(RefusedValue::Earlier);
        }
        let settings = policy.settings();
        self.pace(settings, at_us);
        let hour = season::hour_of_week(at_us);
        let expectation = self.expect(settings, hour);
        let sizes = self.sizes(settings, x, &expectation);
        let expected = self.band(settings, &expectation);
        let surprise = self.weigh(settings, &sizes);
        let warm = self.values >= u64::from(settings.warm_up_values);
        let raw = if warm { surprise } else { 0.0 };
        let (score, steady) = self.told.news(settings, &mut self.rarity, raw, at_us);
        let (score, steady) = (policy.score(score), policy.score(steady));
        let change = self.state.step(settings, steady.get(), at_us);
        self.learn(settings, x, hour, &expectation);
        self.last_us = at_us;
        Ok(BaselineReading {
            score,
            surprise: steady,
            level: self.state.level(settings, steady.get()),
            expected,
            open_since: self.open_since(),
            change,
        })
    }

    /// Since when an anomaly is open; `None` while none is.
    pub fn open_since(&self) -> Option<DateTime<Utc>> {
        self.state.open_since_us.and_then(DateTime::from_timestamp_micros)
    }

    /// What its values are.
    pub const fn kind(&self) -> SeriesKind {
        self.kind
    }

    /// Values taken in so far.
    pub const fn values(&self) -> u64 {
        self.values
    }

    /// Learns the pace of the values, and how much one of them weighs in each mean.
    fn pace(&mut self, settings: &BaselineSettings, at_us: i64) {
        let elapsed = if self.values == 0 { 0.0 } else { seconds_between(self.last_us, at_us) };
        let before = self.interval;
        if elapsed > 0.0 {
            // One long gap does not make a slow series of a fast one.
            let bounded = elapsed.min(10.0 * self.interval);
            self.interval =
                if self.interval > 0.0 { self.interval + 0.05 * (bounded - self.interval) } else { elapsed };
        }
        // A value stands for the time since the one before, and after a gap for no more than twenty intervals.
        let stands_for = if elapsed > 0.0 { elapsed.min(20.0 * self.interval) } else { self.interval };
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits();
        if !same(stands_for, self.gains.stands_for) || !same(self.interval, before) {
            self.gains = Gains::of(settings, stands_for, self.interval);
        }
    }

    fn expect(&self, settings: &BaselineSettings, hour: usize) -> Expectation {
        let (level, level_error) = (self.level.value, self.scale(self.level_error.value));
        self.season
            .expected(settings, hour)
            .map_or(Expectation { centre: level, error: level_error, seasonal: false }, |centre| {
                Expectation { centre, error: self.scale(self.season_error.value), seasonal: true }
            })
    }

    /// How far the value is away, in four ways, each as a multiple of what is usual.
    fn sizes(&mut self, settings: &BaselineSettings, x: f64, expectation: &Expectation) -> [f64; VIEWS] {
        if self.values == 0 {
            return [0.0; VIEWS];
        }
        let most = settings.most_scales;
        let missed = x - expectation.centre;
        let lean = self.lean.moved(missed, self.gains.lean);
        let unrest = self.unrest.moved(missed.abs(), self.gains.unrest);
        let spread = (self.most - self.least).max(self.step);
        let outside = (x - self.most).max(self.least - x).max(0.0);
        let usual_unrest = self.usual_unrest.value;
        let movement = if usual_unrest <= 0.0 {
            0.0
        } else if unrest >= usual_unrest {
            settings.unrest_weight * (unrest / usual_unrest - 1.0)
        } else {
            settings.unrest_weight * settings.calm_weight * (usual_unrest / unrest - 1.0).min(10.0)
        };
        let lean_error = self.lean_error.value.max(self.least_lean());
        let range = ratio(outside, self.scale(spread * settings.range_share), most);
        [ratio(missed, expectation.error, most), ratio(lean, lean_error, most), movement.min(most), range]
    }

    /// How unusual the sizes are for this series, summed over those that stand out; each then joins its past.
    fn weigh(&mut self, settings: &BaselineSettings, sizes: &[f64; VIEWS]) -> f64 {
        let (gain, least) = (self.gains.view, settings.least_spread);
        let raised = |(view, &size): (&mut View, &f64)| view.raise(size, gain, least) - settings.hinge;
        let raised = self.views.iter_mut().zip(sizes).map(raised);
        raised.map(|above| above.max(0.0)).sum::<f64>() / VIEWS as f64
    }

    fn learn(&mut self, settings: &BaselineSettings, x: f64, hour: usize, expectation: &Expectation) {
        let missed = x - expectation.centre;
        let gains = &self.gains;
        if self.values > 0 {
            self.level_error.take((x - self.level.value).abs(), gains.level_error);
            let step = (x - self.last).abs();
            if step > 0.0 && (self.step <= 0.0 || step < self.step) {
                self.step = step;
            }
        } else {
            (self.least, self.most) = (x, x);
        }
        if expectation.seasonal {
            self.season_error.take(missed.abs(), gains.season_error);
        }
        self.lean.take(missed, gains.lean);
        self.lean_error.take(self.lean.value.abs(), gains.season_error);
        self.unrest.take(missed.abs(), gains.unrest);
        self.usual_unrest.take(missed.abs(), gains.season_error);
        self.season.learn(settings, x, hour, gains);
        self.level.take(x, gains.level);
        (self.least, self.most) = (self.least.min(x), self.most.max(x));
        self.last = x;
        self.values += 1;
    }

    /// The values for which the expectation alone would say nothing.
    fn band(&self, settings: &BaselineSettings, expectation: &Expectation) -> Option<Band> {
        if self.values < u64::from(settings.warm_up_values) {
            return None;
        }
        let view = &self.views[0];
        let reach = libm::expm1(view.usual.value + settings.hinge * view.spread(settings.least_spread));
        let half = reach.min(settings.most_scales) * expectation.error;
        let end = |x| Finite::new(self.kind.write(x)).ok();
        Band::new(end(expectation.centre - half)?, end(expectation.centre + half)?).ok()
    }

    /// An error below which a difference is only the rounding of the values, or the chance of counts.
    fn scale(&self, error: f64) -> f64 {
        match self.kind {
            SeriesKind::Count => error.max(POISSON_ERROR),
            SeriesKind::Gauge => error.max(0.5 * self.step),
        }
    }

    fn least_lean(&self) -> f64 {
        match self.kind {
            SeriesKind::Count => POISSON_ERROR * libm::sqrt(self.gains.lean / (2.0 - self.gains.lean)),
            SeriesKind::Gauge => 0.3 * self.step,
        }
    }
}

impl SeriesKind {
    /// The name of the kind, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Gauge => "gauge",
        }
    }

    /// Whether a series of this kind takes this value.
    ///
    /// # Errors
    /// [`RefusedValue`] for a value that is no number or too large, and for a negative count.
    pub fn accepts(self, value: f64) -> Result<(), RefusedValue> {
        self.read(value).map(|_| ())
    }

    fn read(self, value: f64) -> Result<f64, RefusedValue> {
        if !value.is_finite() {
            return Err(RefusedValue::NotFinite);
        }
        if value.abs() > LARGEST {
            return Err(RefusedValue::TooLarge);
        }
        match self {
            Self::Gauge => Ok(value),
            Self::Count if value < 0.0 => Err(RefusedValue::Negative),
            Self::Count => Ok(2.0 * libm::sqrt(value + 0.375)),
        }
    }

    /// The value that [`read`](Self::read) makes `x` of.
    fn write(self, x: f64) -> f64 {
        match self {
            Self::Gauge => x,
            Self::Count => {
                let half = 0.5 * x.max(0.0);
                (half * half - 0.375).max(0.0)
            }
        }
    }
}

/// What is expected of the next value.
#[derive(Debug, Clone, Copy)]
struct Expectation {
    centre: f64,
    /// How far values usually are from it; 0 while all were the same.
    error: f64,
    seasonal: bool,
}

/// A mean that forgets: over all values while they are few, then with the weight that the time since the last one has.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Mean {
    value: f64,
    count: u32,
}

impl Mean {
    fn take(&mut self, x: f64, gain: f64) {
        self.value = self.moved(x, gain.max(1.0 / (f64::from(self.count) + 1.0)));
        self.count = self.count.saturating_add(1);
    }

    /// What it would be with this value of this weight; the value itself where there is none yet.
    fn moved(&self, x: f64, gain: f64) -> f64 {
        if self.count == 0 { x } else { self.value + gain * (x - self.value) }
    }
}

/// One of the ways to look at a value: how large it usually is, as a logarithm, and how far that scatters.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct View {
    usual: Mean,
    square: Mean,
}

impl View {
    /// How many spreads this size is above what is usual, before it joins it; 0 when below.
    fn raise(&mut self, size: f64, gain: f64, least: f64) -> f64 {
        let size = libm::log1p(size);
        let above = size - self.usual.value;
        let raise = (above / self.spread(least)).max(0.0);
        self.usual.take(size, gain);
        self.square.take(above * above, gain);
        raise
    }

    fn spread(&self, least: f64) -> f64 {
        libm::sqrt(self.square.value).max(least)
    }
}

/// What was told last: what belongs to it is no news.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Told {
    news: f64,
    at_us: i64,
    divisor: f64,
    counted_us: Option<i64>,
}

impl Told {
    /// How much of this surprise is news, and how much is rare, news or not.
    fn news(
        &mut self,
        settings: &BaselineSettings,
        rarity: &mut Rarity,
        surprise: f64,
        at_us: i64,
    ) -> (f64, f64) {
        if surprise <= 0.0 {
            return (0.0, 0.0);
        }
        let divisor = libm::pow(1.0 + rarity.count_like(settings, surprise, at_us), settings.rarity_power);
        let rare = surprise / divisor;
        let told = self.news * libm::exp(-seconds_between(self.at_us, at_us) / settings.rest_seconds);
        // An incident that goes on is not made common by its own first value.
        let resting =
            self.counted_us.is_some_and(|then| seconds_between(then, at_us) < settings.rest_seconds);
        let steady = if resting { surprise / divisor.min(self.divisor) } else { rare };
        let news = (rare - told).max(0.0);
        if rare > told {
            (self.news, self.at_us) = (rare, at_us);
        }
        if news > settings.counted_share * rare {
            rarity.count(settings, surprise, at_us);
            (self.divisor, self.counted_us) = (divisor, Some(at_us));
        }
        (news, steady)
    }
}

/// Whether an anomaly is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct State {
    open_since_us: Option<i64>,
    first_hit_us: i64,
    /// Hits in a row while closed, quiet values in a row while open.
    run: u32,
}

impl State {
    fn step(&mut self, settings: &BaselineSettings, surprise: f64, at_us: i64) -> Option<BaselineChange> {
        if self.open_since_us.is_none() {
            if surprise < settings.warning_score {
                self.run = 0;
                return None;
            }
            if self.run == 0 {
                self.first_hit_us = at_us;
            }
            self.run += 1;
            if self.run < settings.opening_hits {
                return None;
            }
            (self.open_since_us, self.run) = (Some(self.first_hit_us), 0);
            return Some(BaselineChange::Opened);
        }
        self.run = if surprise < settings.quiet_score { self.run + 1 } else { 0 };
        if self.run < settings.closing_quiet {
            return None;
        }
        (self.open_since_us, self.run) = (None, 0);
        Some(BaselineChange::Closed)
    }

    fn level(&self, settings: &BaselineSettings, surprise: f64) -> AnomalyLevel {
        if self.open_since_us.is_none() {
            AnomalyLevel::Normal
        } else if surprise >= settings.critical_score {
            AnomalyLevel::Critical
        } else {
            AnomalyLevel::Warning
        }
    }
}

/// How much a value weighs in each mean; worked out again only when the pace changes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Gains {
    stands_for: f64,
    level: f64,
    level_error: f64,
    season_error: f64,
    lean: f64,
    unrest: f64,
    view: f64,
    day_slot: f64,
    week_slot: f64,
}

impl Gains {
    fn of(settings: &BaselineSettings, stands_for: f64, interval: f64) -> Self {
        // A mean over fewer values than `least` would be a guess, however much time they stand for.
        let gain =
            |seconds: f64, least: f64| -libm::expm1(-stands_for / seconds.max(least * interval).max(1e-6));
        Self {
            stands_for,
            level: gain(settings.level_seconds, LEAST_VALUES),
            level_error: gain(settings.error_seconds, 2.0 * LEAST_VALUES),
            season_error: gain(settings.error_seconds, 2.0 * LEAST_VALUES),
            lean: gain(settings.lean_seconds, 6.0),
            unrest: gain(settings.unrest_seconds, 24.0),
            view: gain(settings.view_seconds, LEAST_VALUES),
            day_slot: gain(settings.day_visits * season::HOUR_SECONDS, 0.0),
            week_slot: gain(settings.week_visits * season::HOUR_SECONDS, 0.0),
        }
    }
}

/// Seconds from `then` to `now`, 0 when it is not later.
fn seconds_between(then_us: i64, now_us: i64) -> f64 {
    now_us.saturating_sub(then_us).max(0) as f64 / 1e6
}

/// How many times `unit` the size of `x` is, at most `most`; 0 of 0, and `most` of anything else without a unit.
fn ratio(x: f64, unit: f64, most: f64) -> f64 {
    if x == 0.0 {
        0.0
    } else if unit > 0.0 {
        (x.abs() / unit).min(most)
    } else {
        most
    }
}

/// Ways to look at a value: distance from the expectation, lean, unrest, range.
const VIEWS: usize = 4;
/// Values that a slow mean is taken over at least.
const LEAST_VALUES: f64 = 100.0;
/// Mean distance from its mean of a normal variable of spread 1, √(2/π).
const POISSON_ERROR: f64 = 0.797_884_560_802_865_4;
/// Differences of values up to this have a number.
const LARGEST: f64 = 1e300;
