//! Bundles (and single files) in OCI registries: references, credentials, manifests, and blobs that prove themselves.
//!
//! [`Reference`] names an artifact, [`Access`] says how its registry is reached, [`Registry`] talks to it.
//! Every byte is hashed here before it is used; what the registry says about itself is never taken as proof.
//! Layout of a bundle: one layer a file, its path in the annotation `org.opencontainers.image.title`
//! (OCI image-spec, "Pre-Defined Annotation Keys"); layers of type `tar+gzip` are folders.

mod access;
mod blame;
mod blob;
mod credentials;
mod error;
mod manifest;
mod proxy;
mod push;
mod reference;
mod registry;

pub use access::Access;
pub use blob::{Blob, Pick, open_blob};
pub use error::OciError;
pub use manifest::{ARTIFACT_TYPE, Layer, Manifest as OciManifest};
pub use push::{Pushed, push};
pub use reference::Reference;
pub use registry::Registry;

pub(crate) use blob::verified;
