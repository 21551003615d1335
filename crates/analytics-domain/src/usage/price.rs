//! What a request to an AI provider costs: tokens times prices, in whole numbers.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};

use super::Name;
use crate::session::NanoDollars;

/// What models cost and from when on.
///
/// A model without a price at the time of a request leaves it unpriced; nothing is guessed from a similar name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PriceTable {
    prices: BTreeMap<(Name, Name), Prices>,
}

/// The prices of one model with the times that they begin at, oldest first.
type Prices = Vec<(DateTime<Utc>, ModelPrice)>;

/// What a million tokens of a model cost, by kind. Each at most a million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModelPrice {
    input: NanoDollars,
    output: NanoDollars,
    cached: NanoDollars,
    reasoning: NanoDollars,
}

/// The tokens of one request, at most 10¹² of each kind.
///
/// Cached ones are among the input and reasoning ones among the output, as providers bill them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct TokenCounts {
    input: u64,
    output: u64,
    cached: u64,
    reasoning: u64,
}

/// What one request cost: nothing to a million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct RequestCost(NanoDollars);

/// A price for a million tokens is negative or more than a million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a million tokens cost 0 to 10^15 nano-dollars")]
pub struct InvalidPrice;

/// The cost of one request is negative or more than a million dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request costs 0 to 10^15 nano-dollars")]
pub struct CostOutOfRange;

/// Why counts are not the tokens of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTokens {
    /// More than 10¹² tokens of a kind.
    #[error("a request has at most 10^12 tokens of a kind")]
    TooMany,
    /// More cached tokens than input tokens.
    #[error("cached tokens are among the input tokens")]
    CachedOverInput,
    /// More reasoning tokens than output tokens.
    #[error("reasoning tokens are among the output tokens")]
    ReasoningOverOutput,
}

impl PriceTable {
    /// The table with this price of a model from this time on; another price from the same time is replaced.
    #[must_use]
    pub fn with(mut self, provider: Name, model: Name, from: DateTime<Utc>, price: ModelPrice) -> Self {
        let prices = self.prices.entry((provider, model)).or_default();
        match prices.binary_search_by_key(&from, |(from, _)| *from) {
            Ok(at) => prices[at].1 = price,
            Err(at) => prices.insert(at, (from, price)),
        }
        self
    }

    /// The price of a model at this time: the one that began last, at or before it. `None` for a model that is not in
    /// the table, or not yet.
    pub fn price(&self, provider: &Name, model: &Name, at: DateTime<Utc>) -> Option<ModelPrice> {
        let prices = self.prices.get(&(provider.clone(), model.clone()))?;
        let begun = prices.partition_point(|(from, _)| *from <= at);
        prices[..begun].last().map(|(_, price)| *price)
    }

    /// What a request of this time cost; `None`, unpriced, without a price.
    ///
    /// # Errors
    /// [`CostOutOfRange`] when it is more than a million dollars.
    pub fn cost(
        &self,
        provider: &Name,
        model: &Name,
        tokens: TokenCounts,
        at: DateTime<Utc>,
    ) -> Result<Option<RequestCost>, CostOutOfRange> {
        self.price(provider, model, at).map(|price| price.cost(tokens)).transpose()
    }
}

impl ModelPrice {
    /// The price of a million input, output, cached and reasoning tokens.
    ///
    /// # Errors
    /// [`InvalidPrice`] when one is negative or more than a million dollars.
    pub fn new(
        input: NanoDollars,
        output: NanoDollars,
        cached: NanoDollars,
        reasoning: NanoDollars,
    ) -> Result<Self, InvalidPrice> {
        let all = [input, output, cached, reasoning];
        if all.iter().all(|price| (0..=MOST_NANO_DOLLARS).contains(&price.get())) {
            Ok(Self { input, output, cached, reasoning })
        } else {
            Err(InvalidPrice)
        }
    }

    /// What these tokens cost. The sum is exact and rounded once, half a nano-dollar up.
    ///
    /// # Errors
    /// [`CostOutOfRange`] when it is more than a million dollars.
    pub fn cost(&self, tokens: TokenCounts) -> Result<RequestCost, CostOutOfRange> {
        let of = |tokens: u64, price: NanoDollars| i128::from(tokens) * i128::from(price.get());
        // At most 10¹² tokens times 10¹⁵ nano-dollars, four times: far below 2¹²⁷.
        let millionths = of(tokens.input - tokens.cached, self.input)
            + of(tokens.cached, self.cached)
            + of(tokens.output - tokens.reasoning, self.output)
            + of(tokens.reasoning, self.reasoning);
        let rounded = (millionths + TOKENS_PRICED / 2) / TOKENS_PRICED;
        i64::try_from(rounded)
            .map_err(|_| CostOutOfRange)
            .and_then(|cost| RequestCost::new(NanoDollars::new(cost)))
    }
}

impl TokenCounts {
    /// These counts; cached tokens are among the input and reasoning tokens among the output.
    ///
    /// # Errors
    /// [`InvalidTokens`]: `TooMany` over 10¹² of a kind, `CachedOverInput` and `ReasoningOverOutput` for a part that is
    /// larger than its whole.
    pub const fn new(input: u64, output: u64, cached: u64, reasoning: u64) -> Result<Self, InvalidTokens> {
        if input > MOST_TOKENS || output > MOST_TOKENS {
            Err(InvalidTokens::TooMany)
        } else if cached > input {
            Err(InvalidTokens::CachedOverInput)
        } else if reasoning > output {
            Err(InvalidTokens::ReasoningOverOutput)
        } else {
            Ok(Self { input, output, cached, reasoning })
        }
    }

    /// Tokens sent, cached ones among them.
    pub const fn input(self) -> u64 {
        self.input
    }

    /// Tokens answered, reasoning ones among them.
    pub const fn output(self) -> u64 {
        self.output
    }

    /// Tokens sent that the provider had cached.
    pub const fn cached(self) -> u64 {
        self.cached
    }

    /// Tokens answered that the model thought with.
    pub const fn reasoning(self) -> u64 {
        self.reasoning
    }

    /// Input and output together; no token counts twice.
    pub const fn total(self) -> u64 {
        self.input + self.output
    }
}

impl RequestCost {
    /// The cost of this amount.
    ///
    /// # Errors
    /// [`CostOutOfRange`] when it is negative or more than a million dollars.
    pub const fn new(cost: NanoDollars) -> Result<Self, CostOutOfRange> {
        if cost.get() >= 0 && cost.get() <= MOST_NANO_DOLLARS { Ok(Self(cost)) } else { Err(CostOutOfRange) }
    }

    /// The amount.
    pub const fn get(self) -> NanoDollars {
        self.0
    }
}

impl<'de> Deserialize<'de> for TokenCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "TokenCounts")]
        struct Written {
            input: u64,
            output: u64,
            #[serde(default)]
            cached: u64,
            #[serde(default)]
            reasoning: u64,
        }
        let Written { input, output, cached, reasoning } = Written::deserialize(deserializer)?;
        Self::new(input, output, cached, reasoning).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for RequestCost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(NanoDollars::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Prices are told for a million tokens.
const TOKENS_PRICED: i128 = 1_000_000;
/// A million dollars. The most for one request, so that the sum of nine thousand still fits 64 bits.
const MOST_NANO_DOLLARS: i64 = 1_000_000_000_000_000;
const MOST_TOKENS: u64 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_price_holds_from_its_time_until_the_next_one() {
        let table = PriceTable::default()
            .with(name("p"), name("m"), at(20), price(2, 0, 0, 0))
            .with(name("p"), name("m"), at(10), price(9, 0, 0, 0))
            .with(name("p"), name("m"), at(10), price(1, 0, 0, 0));
        let found = |seconds| table.price(&name("p"), &name("m"), at(seconds));
        assert_eq!([9, 10, 19].map(found), [None, Some(price(1, 0, 0, 0)), Some(price(1, 0, 0, 0))]);
        assert_eq!([20, 99].map(found), [Some(price(2, 0, 0, 0)); 2]);
        assert_eq!(table.price(&name("p"), &name("m2"), at(99)), None);
    }

    #[test]
    fn a_request_without_a_price_is_unpriced_and_a_free_one_costs_nothing() {
        let free = PriceTable::default().with(name("p"), name("m"), at(0), price(0, 0, 0, 0));
        let tokens = TokenCounts::new(5, 5, 0, 0).unwrap();
        assert_eq!(free.cost(&name("p"), &name("m"), tokens, at(1)), Ok(Some(RequestCost::default())));
        assert_eq!(free.cost(&name("q"), &name("m"), tokens, at(1)), Ok(None));
    }

    #[test]
    fn each_kind_of_token_has_its_price_and_the_sum_is_rounded_once() {
        // 3, 15, 0.3 and 15 dollars for a million tokens.
        let price = price(3_000_000_000, 15_000_000_000, 300_000_000, 15_000_000_000);
        let tokens = TokenCounts::new(1_000, 200, 400, 50).unwrap();
        // 600 × 3000 + 400 × 300 + 200 × 15000 nano-dollars.
        assert_eq!(cost(price, tokens), Ok(4_920_000));
        let odd = self::price(400_000, 0, 0, 0);
        let of = |input| cost(odd, TokenCounts::new(input, 0, 0, 0).unwrap());
        assert_eq!([1, 2, 3].map(of), [Ok(0), Ok(1), Ok(1)]);
        let half = self::price(500_000, 0, 0, 0);
        assert_eq!(cost(half, TokenCounts::new(1, 0, 0, 0).unwrap()), Ok(1));
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        assert_eq!(TokenCounts::new(MOST_TOKENS + 1, 0, 0, 0), Err(InvalidTokens::TooMany));
        assert_eq!(TokenCounts::new(0, MOST_TOKENS + 1, 0, 0), Err(InvalidTokens::TooMany));
        assert_eq!(TokenCounts::new(1, 0, 2, 0), Err(InvalidTokens::CachedOverInput));
        assert_eq!(TokenCounts::new(0, 1, 0, 2), Err(InvalidTokens::ReasoningOverOutput));
        let nano = NanoDollars::new;
        let new = |price| ModelPrice::new(nano(price), nano(0), nano(0), nano(0));
        assert_eq!([-1, MOST_NANO_DOLLARS + 1].map(new), [Err(InvalidPrice); 2]);
        let most = TokenCounts::new(MOST_TOKENS, 0, 0, 0).unwrap();
        assert_eq!(cost(price(MOST_NANO_DOLLARS, 0, 0, 0), most), Err(CostOutOfRange));
        assert_eq!(RequestCost::new(nano(-1)), Err(CostOutOfRange));
        assert!(RequestCost::new(nano(MOST_NANO_DOLLARS)).is_ok());
        assert!(serde_json::from_str::<TokenCounts>(r#"{"input":1,"output":1,"cached":2}"#).is_err());
        assert!(serde_json::from_str::<RequestCost>("-1").is_err());
    }

    proptest! {
        /// Against the price of each token on its own, in millionths of a nano-dollar.
        #[test]
        fn a_cost_is_within_half_a_nano_dollar_of_the_sum_over_all_tokens(
            counts in (0u64..2_000, 0u64..2_000, 0u64..2_000, 0u64..2_000),
            prices in (0i64..1 << 40, 0i64..1 << 40, 0i64..1 << 40, 0i64..1 << 40),
        ) {
            let (fresh, cached, spoken, thought) = counts;
            let tokens = TokenCounts::new(fresh + cached, spoken + thought, cached, thought).unwrap();
            let paid = cost(price(prices.0, prices.1, prices.2, prices.3), tokens).unwrap();
            let exact = i128::from(fresh) * i128::from(prices.0) + i128::from(spoken) * i128::from(prices.1)
                + i128::from(cached) * i128::from(prices.2) + i128::from(thought) * i128::from(prices.3);
            prop_assert!((i128::from(paid) * 1_000_000 - exact).abs() <= 500_000);
            prop_assert_eq!(tokens.total(), fresh + cached + spoken + thought);
        }
    }

    fn cost(price: ModelPrice, tokens: TokenCounts) -> Result<i64, CostOutOfRange> {
        price.cost(tokens).map(|cost| cost.get().get())
    }

    fn price(input: i64, output: i64, cached: i64, reasoning: i64) -> ModelPrice {
        let nano = NanoDollars::new;
        ModelPrice::new(nano(input), nano(output), nano(cached), nano(reasoning)).unwrap()
    }

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }
}
