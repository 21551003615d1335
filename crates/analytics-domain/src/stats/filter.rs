//! Which rows a report counts.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Serialize, Serializer};

use crate::detector::Class;
use crate::ids::UserId;
use crate::request::Channel;
use crate::session::{AnalyticsSession, CountryCode, SessionRecord, Text};
use crate::usage::{AiRequest, Conversation, Message, Name, Task, ToolExecution};
use crate::user_agent::DeviceType;

/// Which rows a report counts. Every part that is `None` lets all through; the default is everything.
///
/// A row is asked for the parts that its kind has, and the [`ReportName`](super::ReportName) says which keys a report
/// takes, so that no key is dropped in silence. Texts are compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportFilter {
    /// What the session is taken for. A session without a verdict is of no class.
    pub class: Option<Class>,
    /// How the session came to the site.
    pub channel: Option<Channel>,
    /// Where the session came from: see [`source_of`](ReportFilter::source_of).
    pub source: Option<Text<256>>,
    /// The kind of device.
    pub device: Option<DeviceType>,
    /// The family of the browser.
    pub browser: Option<Text<64>>,
    /// The operating system.
    pub os: Option<Text<64>>,
    /// The country.
    pub country: Option<CountryCode>,
    /// The user, of sessions and of usage.
    pub user: Option<UserId>,
    /// The agent, of usage.
    pub agent: Option<Name>,
    /// The tool, of runs of tools.
    pub tool: Option<Name>,
    /// The provider, of AI requests.
    pub provider: Option<Name>,
    /// The model, of AI requests.
    pub model: Option<Name>,
}

/// A part of a [`ReportFilter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FilterKey {
    /// What the session is taken for.
    Class,
    /// How the session came to the site.
    Channel,
    /// Where the session came from.
    Source,
    /// The kind of device.
    Device,
    /// The family of the browser.
    Browser,
    /// The operating system.
    Os,
    /// The country.
    Country,
    /// The user.
    User,
    /// The agent.
    Agent,
    /// The tool.
    Tool,
    /// The provider.
    Provider,
    /// The model.
    Model,
}

/// A text names no [`FilterKey`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key to filter by")]
pub struct UnknownFilterKey(String);

/// A value does not fit its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{value}` is no {key}")]
pub struct InvalidFilter {
    /// The key.
    pub key: FilterKey,
    /// The value refused.
    pub value: String,
}

impl ReportFilter {
    /// The filter with this part set, in place of an earlier value.
    ///
    /// # Errors
    /// [`InvalidFilter`] when the value is none of the key's: no class, channel, device or country of that name, or a
    /// text that is too long.
    pub fn with(mut self, key: FilterKey, value: &str) -> Result<Self, InvalidFilter> {
        let refused = || InvalidFilter { key, value: value.into() };
        let name = || Name::new(value).map(Some).map_err(|_| refused());
        match key {
            FilterKey::Class => {
                self.class = Some(Class::ALL.into_iter().find(|c| c.as_str() == value).ok_or_else(refused)?);
            }
            FilterKey::Channel => {
                self.channel = Some(CHANNELS.into_iter().find(|c| c.as_str() == value).ok_or_else(refused)?);
            }
            FilterKey::Source => self.source = Some(Text::new(value).map_err(|_| refused())?),
            FilterKey::Device => {
                let device = DeviceType::ALL.into_iter().find(|device| device.as_str() == value);
                self.device = Some(device.ok_or_else(refused)?);
            }
            FilterKey::Browser => self.browser = Some(Text::new(value).map_err(|_| refused())?),
            FilterKey::Os => self.os = Some(Text::new(value).map_err(|_| refused())?),
            FilterKey::Country => self.country = Some(value.parse().map_err(|_| refused())?),
            FilterKey::User => self.user = Some(UserId::new(value).map_err(|_| refused())?),
            FilterKey::Agent => self.agent = name()?,
            FilterKey::Tool => self.tool = name()?,
            FilterKey::Provider => self.provider = name()?,
            FilterKey::Model => self.model = name()?,
        }
        Ok(self)
    }

    /// The parts that are set, by key, as text.
    pub fn parts(&self) -> BTreeMap<FilterKey, &str> {
        let parts = [
            (FilterKey::Class, self.class.map(Class::as_str)),
            (FilterKey::Channel, self.channel.map(Channel::as_str)),
            (FilterKey::Source, self.source.as_ref().map(Text::as_str)),
            (FilterKey::Device, self.device.map(DeviceType::as_str)),
            (FilterKey::Browser, self.browser.as_ref().map(Text::as_str)),
            (FilterKey::Os, self.os.as_ref().map(Text::as_str)),
            (FilterKey::Country, self.country.as_ref().map(CountryCode::as_str)),
            (FilterKey::User, self.user.as_ref().map(UserId::as_str)),
            (FilterKey::Agent, self.agent.as_ref().map(Name::as_str)),
            (FilterKey::Tool, self.tool.as_ref().map(Name::as_str)),
            (FilterKey::Provider, self.provider.as_ref().map(Name::as_str)),
            (FilterKey::Model, self.model.as_ref().map(Name::as_str)),
        ];
        parts.into_iter().filter_map(|(key, part)| part.map(|part| (key, part))).collect()
    }

    /// Whether a part of sessions alone is set, so that a request counts only by way of its session.
    pub fn asks_for_sessions(&self) -> bool {
        self.parts().keys().any(|key| FilterKey::OF_SESSIONS.contains(key))
    }

    /// Whether a session counts. It is the definition that every store's query follows, as are those below.
    pub fn lets_session(&self, session: &AnalyticsSession) -> bool {
        let record = session.record();
        let class = record.verdict.as_ref().map(|verdict| verdict.class);
        self.class.is_none_or(|wanted| class == Some(wanted))
            && self.channel.is_none_or(|wanted| record.origin.channel == wanted)
            && self.source.as_ref().is_none_or(|wanted| Self::source_of(record) == Some(wanted.as_str()))
            && self.device.is_none_or(|wanted| record.client.device == wanted)
            && is(self.browser.as_ref(), record.client.browser.as_ref())
            && is(self.os.as_ref(), record.client.os.as_ref())
            && self.country.is_none_or(|wanted| record.place.country == Some(wanted))
            && is(self.user.as_ref(), record.user.as_ref())
    }

    /// Whether a request to an AI provider counts: by user, agent, provider and model.
    pub fn lets_ai_request(&self, request: &AiRequest) -> bool {
        is(self.user.as_ref(), request.user.as_ref())
            && is(self.agent.as_ref(), request.agent.as_ref())
            && is(self.provider.as_ref(), Some(&request.provider))
            && is(self.model.as_ref(), Some(&request.model))
    }

    /// Whether a task counts: by user and agent.
    pub fn lets_task(&self, task: &Task) -> bool {
        is(self.user.as_ref(), task.user.as_ref()) && is(self.agent.as_ref(), Some(&task.agent))
    }

    /// Whether a run of a tool counts: by user, agent and tool.
    pub fn lets_tool_execution(&self, execution: &ToolExecution) -> bool {
        is(self.user.as_ref(), execution.user.as_ref())
            && is(self.agent.as_ref(), execution.agent.as_ref())
            && is(self.tool.as_ref(), Some(&execution.tool))
    }

    /// Whether a conversation counts: by user and agent.
    pub fn lets_conversation(&self, conversation: &Conversation) -> bool {
        is(self.user.as_ref(), conversation.user.as_ref())
            && is(self.agent.as_ref(), conversation.agent.as_ref())
    }

    /// Whether a message counts: by the user and the agent that it names itself.
    pub fn lets_message(&self, message: &Message) -> bool {
        is(self.user.as_ref(), message.user.as_ref()) && is(self.agent.as_ref(), message.agent.as_ref())
    }

    /// Where a session came from: the source that its campaign names, else the host of its referrer, else nothing known.
    pub fn source_of(session: &SessionRecord) -> Option<&str> {
        let host = session.origin.referrer_host.as_ref().map(Text::as_str);
        session.origin.campaign.source.as_ref().map(Text::as_str).or(host)
    }
}

impl FilterKey {
    /// Every key, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Class,
        Self::Channel,
        Self::Source,
        Self::Device,
        Self::Browser,
        Self::Os,
        Self::Country,
        Self::User,
        Self::Agent,
        Self::Tool,
        Self::Provider,
        Self::Model,
    ];

    /// The keys that sessions have.
    pub const OF_SESSIONS: [Self; 8] = [
        Self::Class,
        Self::Channel,
        Self::Source,
        Self::Device,
        Self::Browser,
        Self::Os,
        Self::Country,
        Self::User,
    ];

    /// The name of the key on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Channel => "channel",
            Self::Source => "source",
            Self::Device => "device",
            Self::Browser => "browser",
            Self::Os => "os",
            Self::Country => "country",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Tool => "tool",
            Self::Provider => "provider",
            Self::Model => "model",
        }
    }
}

impl fmt::Display for FilterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FilterKey {
    type Err = UnknownFilterKey;

    fn from_str(text: &str) -> Result<Self, UnknownFilterKey> {
        Self::ALL.into_iter().find(|key| key.as_str() == text).ok_or_else(|| UnknownFilterKey(text.into()))
    }
}

impl Serialize for FilterKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Serialize for ReportFilter {
    /// The parts that are set, by key.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts().serialize(serializer)
    }
}

fn is<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted == found
}

const CHANNELS: [Channel; 9] = [
    Channel::Direct,
    Channel::Internal,
    Channel::OrganicSearch,
    Channel::Social,
    Channel::Email,
    Channel::Paid,
    Channel::AiAssistant,
    Channel::Referral,
    Channel::Campaign,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies;
    use proptest::prelude::*;

    #[test]
    fn each_key_takes_its_own_values_and_no_others() {
        let samples =
            ["human", "paid", "example.org", "tablet", "Firefox", "Android", "DK", "ann", "a", "t", "p", "m"];
        let mut all = ReportFilter::default();
        for (key, value) in FilterKey::ALL.into_iter().zip(samples) {
            assert_eq!(key.as_str().parse(), Ok(key));
            all = all.with(key, value).unwrap();
            assert_eq!(all.parts()[&key], value);
        }
        assert_eq!(all.parts().len(), FilterKey::ALL.len());
        let refused = |key, value: &str| ReportFilter::default().with(key, value).unwrap_err();
        for key in
            [FilterKey::Class, FilterKey::Channel, FilterKey::Device, FilterKey::Country, FilterKey::User]
        {
            assert_eq!(refused(key, ""), InvalidFilter { key, value: String::new() });
        }
        assert_eq!(refused(FilterKey::Class, "Human").value, "Human");
        assert_eq!("colour".parse::<FilterKey>(), Err(UnknownFilterKey("colour".into())));
    }

    proptest! {
        #[test]
        fn a_session_passes_the_filters_made_of_itself_and_the_empty_one(
            session in strategies::analytics_session(), other in strategies::analytics_session(),
        ) {
            prop_assert!(ReportFilter::default().lets_session(&session));
            let record = session.record();
            let own = ReportFilter {
                channel: Some(record.origin.channel),
                source: ReportFilter::source_of(record).map(Text::cut),
                device: Some(record.client.device),
                browser: record.client.browser.clone(),
                os: record.client.os.clone(),
                country: record.place.country,
                user: record.user.clone(),
                ..ReportFilter::default()
            };
            prop_assert!(own.lets_session(&session));
            let same = record.client.device == other.record().client.device;
            let by_device = ReportFilter { device: own.device, ..ReportFilter::default() };
            prop_assert_eq!(by_device.lets_session(&other), same);
        }
    }
}
