//! Reading a request: who sent it, what it asks for, and where it came from.
//!
//! Reading never fails: what cannot be read is `None`, what is too long is cut at a character boundary.

pub mod channel;
