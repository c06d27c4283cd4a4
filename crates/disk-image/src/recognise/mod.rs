//! What an image is by its bytes: something that can be on a medium, another format, or a document.

mod content;
mod document;
mod foreign;
mod foreign_format;
mod judge;
mod partitions;
mod seen;
mod signatures;
mod table;
mod text;

pub use content::of as content_of;
pub(crate) use document::is_document;
pub(crate) use foreign::WEB_PAGE_BY_SERVER;
pub(crate) use judge::judge;
pub use partitions::{COPY_LOOK, partitions, partitions_of_copy};
pub use seen::LOOK;
pub(crate) use seen::{Seen, TAIL};
