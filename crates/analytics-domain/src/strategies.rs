//! Proptest strategies for the types of this crate.
