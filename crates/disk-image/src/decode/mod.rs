//! Unwraps the stored bytes, layer by layer, until the image is bare. Each layer must prove its end.

pub(crate) mod archive;
pub(crate) mod decoder;
pub(crate) mod input;
pub(crate) mod layer;
pub(crate) mod lengths;
pub(crate) mod lz4;
pub(crate) mod magic;
pub(crate) mod member;
pub(crate) mod memory;
pub(crate) mod simg;
pub(crate) mod stack;
pub(crate) mod stored;
