//! Getting traffic in: access-log formats and readers.
