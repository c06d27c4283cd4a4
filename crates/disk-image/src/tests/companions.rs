//! What is sent along with an image that another machine decodes.

use pretty_assertions::assert_eq;

use super::bmap::{map, sparse};
use super::*;
use crate::{BlockMapChoice, companions};

#[tokio::test]
async fn what_is_beside_a_file_is_found_and_checked() {
    let (image, ranges) = sparse();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| path_of(&folder.path().join(name)).to_owned();
    let (file, text) = (place("os.img"), map("2.0", &image, &ranges));
    std::fs::write(&file, &image).unwrap();
    let beside = SourceOptions { checksums_beside: true, ..SourceOptions::default() };
    let found = companions(&file, &beside).await.unwrap();
    assert_eq!((found.sha256, found.checksums, found.block_map), (None, None, None));

    std::fs::write(place("os.bmap"), &text).unwrap();
    std::fs::write(place("SHA256SUMS"), format!("{}  os.img\n", Digest::of(&image))).unwrap();
    let found = companions(&file, &beside).await.unwrap();
    assert_eq!((found.sha256, found.checksums), (Some(Digest::of(&image)), Some(place("SHA256SUMS"))));
    let found = found.block_map.unwrap();
    assert_eq!((found.name.as_str(), found.text, found.label), ("os.bmap", text.clone(), place("os.bmap")));

    let off = SourceOptions { block_map: BlockMapChoice::Off, ..SourceOptions::default() };
    assert_eq!(companions(&file, &off).await.unwrap(), crate::Companions::default());
    // Of a URL only what is named: nothing is asked of this server.
    assert_eq!(companions("http://no.invalid/os.img", &beside).await.unwrap(), crate::Companions::default());
    let block_map = BlockMapChoice::At(place("os.bmap"));
    let named = SourceOptions { block_map, ..SourceOptions::default() };
    let found = companions("http://no.invalid/os.img", &named).await.unwrap();
    assert_eq!(found.block_map.map(|map| map.text), Some(text));

    std::fs::write(place("os.bmap"), "<bmap version=\"9.0\"></bmap>").unwrap();
    let error = companions(&file, &beside).await.unwrap_err();
    assert!(matches!(error, Error::Map { .. }), "{error}");
    std::fs::remove_file(place("os.bmap")).unwrap();
    let signed = SourceOptions { map_keyring: Some("keys.gpg".into()), ..beside };
    let error = companions(&file, &signed).await.unwrap_err();
    assert!(matches!(error, Error::MapAbsent { .. }), "{error}");
}
