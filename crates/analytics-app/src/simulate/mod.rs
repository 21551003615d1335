//! Synthetic traffic with truth labels, from a seed.
