//! What is remembered of a fingerprint: score, flags and bans.
