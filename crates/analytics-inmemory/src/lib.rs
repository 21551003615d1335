//! The bounded, embedded adapters: the default store and the store of tests.
