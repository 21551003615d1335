//! What models of AI providers cost.

use analytics_domain::session::NanoDollars;
use analytics_domain::usage::{InvalidPrice, ModelPrice, Name, PriceTable};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How the use of AI providers is counted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageSettings {
    /// What models cost. Default none: a request that does not tell its cost then has none.
    pub prices: Vec<PriceSettings>,
}

/// What a million tokens of a model cost, in dollars from 0 to 1,000,000.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSettings {
    /// The provider, as requests name it.
    pub provider: Name,
    /// The model, as requests name it.
    pub model: Name,
    /// The first moment that the price holds for. Default: it always did.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Tokens sent.
    pub input: f64,
    /// Tokens answered.
    pub output: f64,
    /// Tokens sent that the provider had cached. Default: as those sent.
    #[serde(default)]
    pub cached: Option<f64>,
    /// Tokens that the model thought with. Default: as those answered.
    #[serde(default)]
    pub reasoning: Option<f64>,
}

impl UsageSettings {
    /// The prices as the rules look them up.
    ///
    /// # Errors
    /// The first one that is no price.
    pub(super) fn table(&self) -> Result<PriceTable, (&PriceSettings, InvalidPrice)> {
        self.prices.iter().try_fold(PriceTable::default(), |table, row| {
            let from = row.from.unwrap_or(DateTime::<Utc>::MIN_UTC);
            let price = row.price().map_err(|error| (row, error))?;
            Ok(table.with(row.provider.clone(), row.model.clone(), from, price))
        })
    }
}

impl PriceSettings {
    fn price(&self) -> Result<ModelPrice, InvalidPrice> {
        let (cached, reasoning) = (self.cached.unwrap_or(self.input), self.reasoning.unwrap_or(self.output));
        ModelPrice::new(nano(self.input)?, nano(self.output)?, nano(cached)?, nano(reasoning)?)
    }
}

/// Dollars in billionths, to the nearest one.
fn nano(dollars: f64) -> Result<NanoDollars, InvalidPrice> {
    let billionths = libm::round(dollars * 1e9);
    // Larger ones are no prices, and up to here every whole number is exact.
    if billionths.abs() <= 1e15 { Ok(NanoDollars::new(billionths as i64)) } else { Err(InvalidPrice) }
}

#[cfg(test)]
mod tests {
    use analytics_domain::usage::TokenCounts;

    use super::*;

    #[test]
    fn a_price_holds_from_its_time_on_and_what_is_not_said_costs_as_its_whole() {
        let row = |from: Option<&str>, input: f64, cached: Option<f64>| PriceSettings {
            provider: Name::new("acme").unwrap(),
            model: Name::new("large").unwrap(),
            from: from.map(|from| from.parse().unwrap()),
            input,
            output: 15.0,
            cached,
            reasoning: None,
        };
        let rows = vec![row(None, 3.0, None), row(Some("2026-03-01T00:00:00Z"), 2.5, Some(0.1))];
        let table = UsageSettings { prices: rows }.table().unwrap();
        let cost = |at: &str| {
            let (provider, model) = (Name::new("acme").unwrap(), Name::new("large").unwrap());
            let tokens = TokenCounts::new(1_000_000, 2_000_000, 500_000, 1_000_000).unwrap();
            table.cost(&provider, &model, tokens, at.parse().unwrap()).unwrap().unwrap().get().get()
        };
        assert_eq!(cost("2026-02-28T23:59:59Z"), 33_000_000_000);
        assert_eq!(cost("2026-03-01T00:00:00Z"), 31_300_000_000);
    }

    #[test]
    fn what_is_no_price_is_refused() {
        for dollars in [-0.01, 1_000_000.1, f64::NAN, f64::INFINITY] {
            assert_eq!(
                nano(dollars).and_then(|price| ModelPrice::new(price, price, price, price)),
                Err(InvalidPrice)
            );
        }
    }
}
