//! A plan, and what a flasher boots, as text.

use std::fmt::Write;

use flasher_core::flash::{FormatChoice, ViaUsed};
use flasher_core::{BootFile, Description, Plan};

use super::paint::Paint;
use super::units::{bytes, seconds, tame};

/// What a flash would do. Ends with a newline.
pub(crate) fn plan(plan: &Plan, paint: Paint) -> String {
    let place = place(plan.partition.as_deref(), plan);
    let mut text = format!("{}\n", paint.bold(&format!("{} to {place}", tame(&plan.image))));
    let lengths =
        [plan.source_length.map(bytes), plan.decoded_length.map(|it| format!("{} unpacked", bytes(it)))];
    let lengths = lengths.into_iter().flatten().map(|it| format!(", {it}")).collect::<String>();
    fact(&mut text, paint, "image", &format!("{}{lengths}", plan.format));
    if let Some(content) = content(plan.content.as_deref(), plan.format_choice) {
        fact(&mut text, paint, "content", &content);
    }
    plan.platform.iter().for_each(|platform| fact(&mut text, paint, "platform", platform));
    plan.block_map.iter().for_each(|map| fact(&mut text, paint, "block map", map));
    if let Some(list) = &plan.checksums {
        fact(&mut text, paint, "checksum", &format!("as `{list}` says"));
    }
    if plan.cached {
        fact(&mut text, paint, "cache", "has it, unpacked");
    }
    if !plan.keep.is_empty() {
        fact(&mut text, paint, "keeps", &tame(&plan.keep.join(", ")));
    }
    for also in &plan.also {
        let length = also.decoded_length.map(|it| format!(", {} unpacked", bytes(it))).unwrap_or_default();
        let place = self::place(Some(&also.partition), plan);
        fact(&mut text, paint, "then", &format!("{} to {place}: {}{length}", also.image, also.format));
    }
    match (&plan.boots, plan.via) {
        (Some(boots), _) => text.push_str(&description(boots, "", paint)),
        (None, ViaUsed::Host) => fact(&mut text, paint, "via", "a disk of this machine; nothing is booted"),
        (None, ViaUsed::Uboot) => {
            fact(&mut text, paint, "via", "the boot loader's own commands; nothing is booted")
        }
        (None, ViaUsed::Linux) => {
            fact(&mut text, paint, "via", "a small Linux that this plan does not describe")
        }
    }
    if let Some(limit) = plan.attempt_limit {
        fact(
            &mut text,
            paint,
            "limit",
            &format!("{} an attempt (`--deadline` sets another)", seconds(limit)),
        );
    }
    plan.warnings.iter().for_each(|warning| fact(&mut text, paint, "warning", warning));
    text
}

/// What the unpacked image is, and whether that mattered.
pub(super) fn content(content: Option<&str>, choice: FormatChoice) -> Option<String> {
    let raw = "written whatever it is, as `--format raw` says";
    match (content, choice) {
        (content, FormatChoice::Auto) => content.map(str::to_owned),
        (Some(content), FormatChoice::Raw) => Some(format!("{content}, {raw}")),
        (None, FormatChoice::Raw) => Some(raw.to_owned()),
    }
}

/// `emmc (/dev/mmcblk0)`, or a partition there.
fn place(partition: Option<&str>, plan: &Plan) -> String {
    let part = partition.map(|label| format!("partition {} of ", tame(label))).unwrap_or_default();
    format!("{part}{} ({})", plan.target, plan.device)
}

/// What a flasher boots and where it can write; every line begins with `indent`.
pub(crate) fn description(boots: &Description, indent: &str, paint: Paint) -> String {
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        text.push_str(indent);
        fact(&mut text, paint, key, value);
    };
    line("board", &boots.board);
    line("targets", &targets(boots));
    if !boots.variants.is_empty() {
        line("variants", &marked(&boots.variants, boots.variant.as_deref()));
    }
    let files =
        [("kernel", Some(&boots.kernel)), ("initramfs", boots.initram.as_ref()), ("dtb", boots.dtb.as_ref())];
    for (key, file) in files {
        file.iter().for_each(|file| line(key, &boot_file(file)));
    }
    line("boots with", &boots.bootcmd);
    line("bundle", &format!("sha256:{}", boots.bundle_sha256));
    text
}

fn targets(boots: &Description) -> String {
    let one = |(name, device): (&String, &String)| {
        let default = if *name == boots.default_target { " (default)" } else { "" };
        format!("{name} {device}{default}")
    };
    boots.targets.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Names in a row, the one in use marked.
pub(crate) fn marked(names: &[String], used: Option<&str>) -> String {
    let one =
        |name: &String| if Some(name.as_str()) == used { format!("{name} (in use)") } else { name.clone() };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn boot_file(file: &BootFile) -> String {
    format!("{} at {}, {}", file.file, file.address, bytes(file.length))
}

fn fact(text: &mut String, paint: Paint, key: &str, value: &str) {
    let key = paint.dim(&format!("  {key:<11}"));
    let _ = writeln!(text, "{key} {}", tame(value)); // into memory
}
