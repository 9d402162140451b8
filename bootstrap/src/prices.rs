//! AWS's list prices, with the day on which they were read and where.

use serde::Deserialize;

/// The list, beside this file.
const LIST: &str = include_str!("prices.json");

/// List prices of one region.
#[derive(Debug, Clone, Deserialize)]
pub struct Prices {
    /// The region.
    pub region: String,
    /// The day on which they were read.
    pub read: String,
    /// The prices.
    pub prices: Vec<Price>,
}

/// One price.
#[derive(Debug, Clone, Deserialize)]
pub struct Price {
    /// What it is of, in one word.
    pub what: String,
    /// The same for people, with the number of units.
    pub says: String,
    /// US dollars for that number of units.
    pub usd: f64,
    /// The number of units.
    pub per: f64,
    /// Where it was read.
    pub source: String,
}

impl Prices {
    /// The list.
    ///
    /// # Panics
    /// Where the file is not what it should be.
    #[must_use]
    pub fn list() -> Self {
        serde_json::from_str(LIST).expect("bootstrap/src/prices.json")
    }

    /// What so many units cost, in US dollars.
    ///
    /// # Panics
    /// Where the list has no such price.
    #[must_use]
    pub fn of(&self, what: &str, units: f64) -> f64 {
        let price = self.prices.iter().find(|price| price.what == what);
        let price = price.unwrap_or_else(|| panic!("prices.json has no price of {what}"));
        price.usd / price.per * units
    }
}
