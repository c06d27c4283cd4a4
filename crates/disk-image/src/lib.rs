//! Opens an image source, recognises it by its magic bytes, decodes and digests it, maps what is data and what is zero.
