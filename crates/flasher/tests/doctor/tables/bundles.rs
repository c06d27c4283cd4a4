//! Bundles, and the files that a config names.

use super::{broken, prepared, refused};
use crate::setup::Case;

pub(crate) const BUNDLES: &[Case] = &[
    refused(
        "no such bundle",
        &[("flasher", "flasher_bundle: ./nowhere")],
        "the folder of the flash bundle is not there: `./nowhere`",
    ),
    prepared("rm bundle/manifest.yaml", refused("a bundle without a manifest", &[], "manifest.yaml")),
    prepared(
        "echo '{' >bundle/manifest.yaml",
        refused("a manifest that cannot be read", &[], "manifest.yaml"),
    ),
    prepared("rm bundle/data/kernel", refused("a bundle without its kernel", &[], "kernel")),
    prepared(
        "rm -r bundle/data/kernel; mkdir bundle/data/kernel",
        refused("a kernel that is a folder", &[], "kernel"),
    ),
    prepared("ln -sf /etc/passwd bundle/data/kernel", refused("a kernel outside the bundle", &[], "kernel")),
    refused("no such target", &[("flasher", "flasher_bundle: ./bundle, default_target: emcm")], "emcm"),
    refused("no such variant", &[("flasher", "flasher_bundle: ./bundle, variant: nope")], "nope"),
    refused(
        "no such manifest",
        &[("flasher", "flasher_bundle: ./bundle, manifest: other.yaml")],
        "other.yaml",
    ),
    refused(
        "a CA that is not there",
        &[("flasher", "flasher_bundle: ./bundle, cacert: no-such")],
        "`cacert` is no certificate: `",
    ),
    refused(
        "a CA that is none",
        &[("flasher", "flasher_bundle: ./bundle, cacert: os.img")],
        "it has no line `-----BEGIN CERTIFICATE-----`",
    ),
    refused(
        "a demanded signature without a key",
        &[("flasher", "flasher_bundle: ./bundle, require_signature: true")],
        "`require_signature` is set and `signature_key` is not",
    ),
    refused(
        "a key that is not there",
        &[("flasher", "flasher_bundle: ./bundle, require_signature: true, signature_key: no-such")],
        "no-such",
    ),
    Case {
        doctor_warns: true,
        ..broken(
            "a registry that does not answer",
            &[("flasher", "flasher_bundle: '127.0.0.1:@CLOSED@/acme/bundle:v1', cache_dir: ./bundles")],
            4,
            "127.0.0.1:",
        )
    },
    // The network is no excuse for the rest.
    broken(
        "a registry that does not answer, and a line that is not there",
        &[
            ("flasher", "flasher_bundle: '127.0.0.1:@CLOSED@/acme/bundle:v1', cache_dir: ./bundles"),
            ("serial", "{ type: serial, config: { url: /dev/no-such-line, check_present: false } }"),
        ],
        4,
        "127.0.0.1:",
    ),
    broken(
        "a cache that is a file",
        &[("flasher", "flasher_bundle: '127.0.0.1:@CLOSED@/acme/bundle:v1', cache_dir: ./os.img")],
        4,
        "os.img",
    ),
    refused("no such board", &[("flasher", "board: no-such")], "no-such"),
    refused("no such driver", &[("more", "  more: { type: no-such }\n")], "no-such"),
    refused("a driver without its config", &[("serial", "{ type: serial }")], "url"),
];
