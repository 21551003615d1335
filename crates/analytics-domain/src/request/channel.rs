//! How a visit came to the site.

use serde::{Deserialize, Serialize};

use super::referrer_sources::named_source;
use super::text::Folded;
use super::{Referrer, ReferrerSource, Utm};

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

impl Channel {
    /// The name on the wire, in stores and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Internal => "internal",
            Self::OrganicSearch => "organic_search",
            Self::Social => "social",
            Self::Email => "email",
            Self::Paid => "paid",
            Self::AiAssistant => "ai_assistant",
            Self::Referral => "referral",
            Self::Campaign => "campaign",
        }
    }

    /// The channel of a visit whose first page view had this referrer and these campaign parameters.
    ///
    /// Campaign parameters decide alone when there are any: a click id or a paid medium, else the medium, else the
    /// source, else [`Channel::Campaign`]. A referrer that is missing, unobserved or unreadable is
    /// [`Channel::Direct`]; referrer spam counts as referral, and [`ReferrerSource::Spam`] tells it apart.
    pub fn of(referrer: &Referrer<'_>, utm: Option<&Utm<'_>>) -> Self {
        match utm {
            Some(utm) => of_campaign(utm),
            None => match referrer {
                Referrer::Unobserved | Referrer::Missing | Referrer::Unreadable => Self::Direct,
                Referrer::Internal { .. } => Self::Internal,
                Referrer::External { source, .. } => of_source(*source),
            },
        }
    }
}

fn of_campaign(utm: &Utm<'_>) -> Channel {
    if utm.paid_click {
        return Channel::Paid;
    }
    let source = Folded::<64>::decoded_lower(utm.source.unwrap_or_default());
    let source = named_source(source.as_bytes());
    let medium = Folded::<32>::decoded_lower(utm.medium.unwrap_or_default());
    match medium.as_bytes() {
        b"email" | b"e-mail" | b"e_mail" | b"e mail" | b"mail" | b"newsletter" => Channel::Email,
        b"ai-assistant" | b"ai_assistant" | b"ai" => Channel::AiAssistant,
        b"social" | b"social-network" | b"social-media" | b"social_media" | b"social network"
        | b"social media" | b"sm" => Channel::Social,
        b"organic" => Channel::OrganicSearch,
        b"referral" | b"link" | b"app" if source.is_none() => Channel::Referral,
        medium if is_paid(medium) => Channel::Paid,
        _ => source.map_or(Channel::Campaign, of_source),
    }
}

/// Paid media: `cpc`, `cpm` and their kin, `ppc`, retargeting, banners, and all that begins with `paid`.
fn is_paid(medium: &[u8]) -> bool {
    matches!(
        medium,
        b"cpc"
            | b"cpm"
            | b"cpv"
            | b"cpa"
            | b"cpp"
            | b"cpl"
            | b"ppc"
            | b"retargeting"
            | b"remarketing"
            | b"display"
            | b"banner"
            | b"interstitial"
            | b"sem"
            | b"ads"
            | b"ad"
    ) || medium.starts_with(b"paid")
}

const fn of_source(source: ReferrerSource) -> Channel {
    match source {
        ReferrerSource::Search => Channel::OrganicSearch,
        ReferrerSource::Social => Channel::Social,
        ReferrerSource::Email => Channel::Email,
        ReferrerSource::AiAssistant => Channel::AiAssistant,
        ReferrerSource::Spam | ReferrerSource::Other => Channel::Referral,
    }
}

#[cfg(test)]
mod tests {
    use super::super::SitePolicy;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(None, "", Channel::Direct)]
    #[case(Some("-"), "", Channel::Direct)]
    #[case(Some("not a url"), "", Channel::Direct)]
    #[case(Some("https://example.com/a"), "", Channel::Internal)]
    #[case(Some("https://www.google.de/"), "", Channel::OrganicSearch)]
    #[case(Some("https://t.co/x"), "", Channel::Social)]
    #[case(Some("https://mail.google.com/"), "", Channel::Email)]
    #[case(Some("https://chatgpt.com/"), "", Channel::AiAssistant)]
    #[case(Some("https://example.org/"), "", Channel::Referral)]
    #[case(Some("https://www.google.com/"), "gclid=1", Channel::Paid)]
    #[case(Some("https://www.google.com/"), "utm_medium=CPC&utm_source=google", Channel::Paid)]
    #[case(Some("https://www.google.com/"), "utm_medium=newsletter", Channel::Email)]
    #[case(None, "utm_source=chatgpt.com", Channel::AiAssistant)]
    #[case(None, "utm_source=perplexity", Channel::AiAssistant)]
    #[case(None, "utm_medium=ai-assistant", Channel::AiAssistant)]
    #[case(None, "utm_source=facebook", Channel::Social)]
    #[case(None, "utm_source=facebook&utm_medium=paid_social", Channel::Paid)]
    #[case(None, "utm_source=google&utm_medium=organic", Channel::OrganicSearch)]
    #[case(None, "utm_source=partner&utm_medium=referral", Channel::Referral)]
    #[case(None, "utm_source=chatgpt.com&utm_medium=referral", Channel::AiAssistant)]
    #[case(None, "utm_source=poster&utm_medium=qr", Channel::Campaign)]
    #[case(None, "utm_campaign=spring", Channel::Campaign)]
    fn campaigns_win_over_referrers(
        #[case] referrer: Option<&str>,
        #[case] query: &str,
        #[case] channel: Channel,
    ) {
        let policy = SitePolicy::for_hosts(["example.com"]).unwrap();
        let utm = Utm::read(query);
        assert_eq!(Channel::of(&Referrer::read(&policy, referrer), utm.as_ref()), channel);
    }
}
