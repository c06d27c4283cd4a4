//! Decodes and maps an image to nothing, as a flash does before it writes: `decode IMAGE [CACHE-FOLDER]`.

use std::error::Error;

use disk_image::{Cache, Image, SourceOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let source = arguments.next().ok_or("usage: decode IMAGE [CACHE-FOLDER]")?;
    let cache = arguments.next().map(|folder| Cache { folder: folder.into(), limit: 64 << 30 });
    let image = Image::open(&source, SourceOptions { cache, ..SourceOptions::default() }).await?;
    let mut decoding = image.decode();
    while decoding.next().await?.is_some() {}
    let summary = decoding.summary().ok_or("no summary")?;
    #[allow(clippy::print_stdout, reason = "an example may print")]
    {
        println!("{} {} {:?}", summary.decoded_sha256, summary.decoded_length, summary.cached);
    }
    Ok(())
}
