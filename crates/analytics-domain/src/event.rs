//! Something named that happened in a session.
