//! Sessions: when one begins, what it counts, and why it ends.
