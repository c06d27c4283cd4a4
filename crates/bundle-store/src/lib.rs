//! Flash bundles: the manifest (`FlashBundleManifest` v1alpha1) and the files it names, in a folder or a registry.
//!
//! [`Manifest`] says how a board boots a small Linux from the network and where an image may be written.
//! [`Bundle`] is a manifest in a folder together with its kernel, initial RAM disk and device trees.
//! [`overlaps`] tells whether loading them would overwrite one with another.
//! [`Store`] brings bundles from OCI registries into a cache, [`push`] brings a folder into a registry, [`open_blob`]
//! reads a single file of an artifact. [`LockFile`] pins names to digests, [`PublicKey`] checks who signed.
//!
//! A manifest in Jumpstarter's shape loads unchanged; what is ours is optional (see [`Spec`]).
//! What is not `async` here reads files: call it from a blocking thread in asynchronous code.

mod address;
mod architecture;
mod bundle;
mod check;
mod confine;
mod digest;
mod error;
mod inherit;
mod interrupt;
mod json_file;
mod lockfile;
mod manifest;
mod oci;
mod overlap;
mod read;
mod schema;
mod secret;
mod shape;
mod signature;
mod store;
mod words;
mod yaml;

pub use address::{Address, AddressError};
pub use architecture::Architecture;
pub use bundle::{Bundle, File, Files};
pub use check::{Finding, Severity, check};
pub use error::{Error, FilePlace, Problem, Problems, Warning};
pub use flasher_base::blame::{Blame, Blamed};
pub use flasher_base::digest::{Digest, DigestError};
pub use interrupt::Interrupt;
pub use lockfile::{LOCK_FILE, LockFile};
pub use manifest::{API_VERSION, Boot, Dtb, KIND, Load, Login, Manifest, Metadata, ShellType, Spec, Variant};
pub use oci::{
    ARTIFACT_TYPE, Access, Blob, Layer, OciError, OciManifest, Pick, Pushed, Reference, Registry, open_blob,
    push,
};
pub use overlap::{Extent, Overlap, overlaps};
pub use schema::schema;
pub use secret::Secret;
pub use signature::PublicKey;
pub use store::{Cached, Freed, Limits, Store, Wanted, export};
pub use yaml::MAX_MANIFEST_LENGTH;
