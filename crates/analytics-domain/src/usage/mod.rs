//! What people and agents use: requests to AI providers, tasks of agents, tools, conversations and their messages.
//!
//! Each record is told once, when it is over, and never changes. Its id is a `UUIDv7` of its time, so a store that is
//! parted by time finds it in one part and notices when it is told again. Money is in whole nano-dollars; a request
//! whose price nobody knows is *unpriced*, which is not zero.
//!
//! What this module does not do: keep records (the stores do), count them in reports, or
//! know what a model costs (whoever calls brings the [`PriceTable`]).

mod name;
mod price;
mod records;
mod stamp;

pub use name::{InvalidName, Name};
pub use price::{
    CostOutOfRange, InvalidPrice, InvalidTokens, ModelPrice, PriceTable, RequestCost, TokenCounts,
};
pub use records::{
    AiRequest, Conversation, Message, MessageRole, Task, ToolExecution, UnknownMessageRole,
    UnknownUsageStatus, UsageStatus,
};
pub use stamp::{InvalidStamp, Stamp, TimeId};
