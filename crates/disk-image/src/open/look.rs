//! Looks at what an image is before it is decoded, as far as its bytes are within reach.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::decode::layer::Layer;
use crate::decode::magic::{HEAD, recognise};
use crate::decode::memory::InMemory;
use crate::decode::stack::unwrap_layers;
use crate::recognise::{LOOK, Seen, TAIL, judge};
use crate::{Error, Expected, ImageContent};

/// Looks at an image that is a file, decoded already.
pub(crate) fn judge_file(
    label: &str,
    expected: Expected,
    file: &File,
    length: u64,
) -> Result<Option<ImageContent>, Error> {
    let read = |offset: u64, wanted: u64| {
        let mut bytes = vec![0; wanted as usize];
        let failed = |source| Error::Read { label: label.into(), offset, source };
        file.read_exact_at(&mut bytes, offset).map_err(failed).map(|()| bytes)
    };
    let head = read(0, length.min(LOOK as u64))?;
    let last = length.min(TAIL as u64);
    let tail = read(length - last, last)?;
    judge(label, expected, Seen { head: &head, complete: true, tail: Some(&tail), length: Some(length) })
}

/// Looks at the beginning of what a layer gives, which is a whole image of `length` bytes, if that is known. What cannot
/// be read is reported when the image is decoded.
pub(crate) fn judge_layer(
    label: &str,
    expected: Expected,
    top: &mut dyn Layer,
    length: Option<u64>,
) -> Result<Option<ImageContent>, Error> {
    let (mut head, mut filled) = (vec![0; LOOK], 0);
    let mut complete = true;
    while filled < LOOK {
        match top.read(&mut head[filled..]) {
            Ok(read_result) if read_result.count == 0 => break,
            Ok(read_result) => filled += read_result.count,
            Err(_) => {
                complete = false;
                break;
            }
        }
    }
    judge(label, expected, Seen { head: &head[..filled], complete, tail: None, length })
}

/// Looks at an image of which only the first stored bytes are here, `whole` when they are all of it; also tells whether there is
/// an archive in it, as far as it can be seen.
pub(crate) fn judge_stored(
    label: &str,
    expected: Expected,
    stored: Vec<u8>,
    whole: bool,
    length: Option<u64>,
) -> Result<(Option<ImageContent>, bool), Error> {
    let is_archive = recognise(label, &stored[..stored.len().min(HEAD)])?.is_archive();
    match unwrap_layers(label, Box::new(InMemory::new(stored, whole))) {
        Ok(mut peeled) => {
            let has_archive = peeled.formats.iter().any(|format| format.is_archive());
            let length = peeled.length.or(length);
            judge_layer(label, expected, peeled.top.as_mut(), length).map(|content| (content, has_archive))
        }
        Err(Error::Ended { .. }) => Ok((None, is_archive)), // more than is here would have to be seen
        Err(error) => Err(error),
    }
}
