//! HTTP server a small Linux fetches from, and sends back to: files below one folder, and content made as it goes.
//!
//! The engine is usable without the driver:
//!
//! ```no_run
//! # async fn serve() -> Result<(), driver_http::Error> {
//! let site = driver_http::Site::new("/var/www");
//! let server = driver_http::Server::bind(([127, 0, 0, 1], 0).into(), site, Default::default()).await?;
//! println!("http://{}", server.address());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Answers GET and HEAD over HTTP/1.1 (RFC 9110, RFC 9112) with single ranges, `ETag`, `Last-Modified` and the `If-…`
//! fields. Folders are not listed, and nothing outside the root is reachable, by `..` or by symbolic links.
//!
//! PUT and POST are taken where something was accepted under that path, and nowhere else.
//!
//! Files that are in the page cache are sent by the kernel (`sendfile`), others are read on a thread that may wait.
//! A file that is replaced arrives as it was; one that is cut short or written to meanwhile ends with an error.
//!
//! A body that breaks off resets the connection, so that every client notices, whatever its framing.
//!
//! Events: each GET that sends a body, or is refused, is reported. HEAD and 304 send no body and are not.
//! `Done` means handed over to the network's buffers: what the client made of it only the client knows.

mod body;
mod clients;
mod conditions;
mod config;
mod driver;
mod error;
mod reply;
mod report;
mod sendfile;
mod server;
mod site;
mod upload;

pub use config::Config;
pub use driver::HttpServer;
pub use error::Error;
pub use server::Server;
pub use site::Site;

flasher_core::register_driver!(HttpServer);
