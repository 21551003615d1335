//! What the application asks of the outside: traits and their rules, no behaviour.
