//! HTTP file and content server on warp.
