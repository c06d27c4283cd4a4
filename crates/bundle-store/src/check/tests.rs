//! Bundles with one thing wrong each.

use std::fs;

use super::*;

const MANIFEST: &str = "metadata: { name: acme }
spec:
  manufacturer: Acme
  link: null
  bootcmd: booti 0x82000000 0x83000000:${initram_size} 0x84000000
  login: { login_prompt: \"login:\", prompt: \"#\", username: root }
  default_target: emmc
  targets: { emmc: /dev/mmcblk0, usd: \"/sys/class/block#4fb0000\" }
  kernel: { file: data/kernel, address: \"0x82000000\" }
  initram: { file: data/initramfs, address: \"0x83000000\" }
  dtb:
    default: a
    address: \"0x84000000\"
    variants: { a: { file: data/a.dtb } }
";

/// Checks the bundle after one text was replaced; gives what is found, a line each.
fn found(replace: &[(&str, &str)], dtb: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("kernel"), vec![1; 5000]).unwrap();
    fs::write(data.join("initramfs"), vec![2; 5000]).unwrap();
    fs::write(data.join("a.dtb"), dtb).unwrap();
    let text = replace.iter().fold(MANIFEST.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    fs::write(dir.path().join("manifest.yaml"), text).unwrap();
    let findings = check(dir.path(), "manifest.yaml", &|_| None).unwrap();
    let line = |it: &Finding| format!("{:?} {it}\n", it.severity);
    findings.iter().map(line).collect()
}

fn tree(length: u32) -> Vec<u8> {
    let mut bytes = vec![0xd0, 0x0d, 0xfe, 0xed];
    bytes.extend(length.to_be_bytes());
    bytes.resize(64, 0);
    bytes
}

#[test]
fn a_sound_bundle_has_no_findings() {
    assert_eq!(found(&[], &tree(64)), "");
}

#[test]
fn each_mistake_is_named_with_its_place() {
    let nothing = "is an address where nothing is loaded; loaded are 0x82000000, 0x83000000, 0x84000000";
    let cases: &[(&[(&str, &str)], String)] = &[
        (&[("data/initramfs", "data/missing")], "Error `spec.initram.file`: `data/missing` does not exist\n".into()),
        (
            &[("address: \"0x83000000\"", "address: \"0x82001000\""), ("0x83000000:", "0x82001000:")],
            "Error `spec`: kernel `kernel` (5000 bytes from 0x82000000 up to 0x82001388) and initram `initramfs` (5000 bytes \
             from 0x82001000 up to 0x82002388) overlap by 904 bytes: move one of their addresses in the manifest\n"
                .into(),
        ),
        (
            &[("/dev/mmcblk0", "mmcblk0")],
            "Error `spec.targets.emmc`: `mmcblk0` is no device; expected a device such as `/dev/mmcblk0`, or \
             `/sys/class/block#4fb0000`\n"
                .into(),
        ),
        (
            &[("prompt: \"#\"", "prompt: \" \"")],
            "Error `spec.login.prompt`: is empty, so anything the board prints would be taken for it\n".into(),
        ),
        (
            &[("username: root", "password: x")],
            "Warning `spec.login.password`: is never typed, as there is no `username`\n".into(),
        ),
        (
            &[("booti 0x82000000", "booti 0x92000000")],
            format!("Warning `spec.bootcmd`: `0x92000000` {nothing}\n"),
        ),
        (
            &[(":${initram_size}", "")],
            "Warning `spec.bootcmd`: `0x83000000` has no size and `initramfs` no U-Boot header that tells it; write \
             `0x83000000:${initram_size}`\n"
                .into(),
        ),
        (
            &[("booti 0x82000000 0x83000000:${initram_size} 0x84000000", "echo hello")],
            "Warning `spec.bootcmd`: `echo hello` boots nothing; expected `booti`, `bootm`, `bootz` or `zboot`\n".into(),
        ),
        (
            &[("a: { file: data/a.dtb }", "a: { file: data/a.dtb, bootcmd: bootm 0x1 }")],
            format!("Warning `spec.dtb.variants.a.bootcmd`: `0x1` {nothing}\n"),
        ),
        (
            &[("link: null", "lnik: null")],
            "Warning `spec.lnik`: unknown key `lnik` in `spec`: did you mean `link`?\n".into(),
        ),
    ];
    for (replace, expected) in cases {
        assert_eq!(found(replace, &tree(64)), *expected, "{replace:?}");
    }
}

#[test]
fn a_file_that_is_cut_or_of_another_kind_is_told_by_its_header() {
    assert_eq!(
        found(&[], &tree(65)),
        "Error `spec.dtb.variants.a.file`: `a.dtb` is truncated: its device-tree header says 65 bytes, it has 64\n"
    );
    assert_eq!(
        found(&[], b"html"),
        "Error `spec.dtb.variants.a.file`: `a.dtb` is no device tree: it does not begin with 0xd00dfeed (Devicetree \
         Specification, section 5.2)\n"
    );
}

#[test]
fn what_is_unpacked_by_hand_counts_as_loaded() {
    let fit = "unlz4 0x820000d4 0x80000000 0x8000000; imxtract 0x82000000 fdt 0x84000000; imxtract 0x82000000 initrd \
               0x89000000; booti 0x80000000 0x89000000:0x7000000 0x84000000";
    assert_eq!(found(&[("booti 0x82000000 0x83000000:${initram_size} 0x84000000", fit)], &tree(64)), "");
    let broken = fit.replace("0x820000d4", "0x920000d4");
    let found = found(&[("booti 0x82000000 0x83000000:${initram_size} 0x84000000", &broken)], &tree(64));
    assert!(found.contains("`0x920000d4` is an address where nothing is loaded"), "{found}");
}

#[test]
fn a_pc_boots_with_two_addresses_and_two_sizes() {
    let with = |command: &str| {
        found(&[("booti 0x82000000 0x83000000:${initram_size} 0x84000000", command)], &tree(64))
    };
    assert_eq!(with("zboot 0x82000000 0 0x83000000 ${initram_size}"), "");
    let found = with("zboot 0x82000000 0 0x93000000 ${initram_size}");
    assert!(found.contains("`0x93000000` is an address where nothing is loaded"), "{found}");
}
