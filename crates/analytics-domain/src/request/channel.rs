//! How a visit came to the site.

use serde::{Deserialize, Serialize};

/// How a visit came to the site. UTM parameters win over the referrer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// No referrer and no campaign.
    Direct,
    /// From a page of the site itself.
    Internal,
    /// From a search engine's result page, unpaid.
    OrganicSearch,
    /// From a social network.
    Social,
    /// From a mail.
    Email,
    /// From a paid placement.
    Paid,
    /// From an AI assistant's answer.
    AiAssistant,
    /// From another site.
    Referral,
    /// From a campaign of another medium.
    Campaign,
}
