//! The whole hot path, composed: one request in, one decision out.
