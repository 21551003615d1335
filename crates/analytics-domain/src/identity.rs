//! Who a request belongs to: the counting identity and the abuse identity.
