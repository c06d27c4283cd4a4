//! Whether a boot command boots what is loaded. Only U-Boot really knows: everything here is a doubt, not a verdict.

use super::format;
use crate::{Address, Files, Manifest, words::quoted};

/// Memory that holds something when a command runs.
#[derive(Clone, Debug)]
struct Range {
    start: u64,
    length: u64,
}

/// What looks wrong with the boot command of one variant.
pub(super) fn doubts(manifest: &Manifest, files: &Files) -> Vec<String> {
    let loads = [Some(&files.kernel), files.initram.as_ref(), files.dtb.as_ref()];
    let mut memory: Vec<Range> =
        loads.into_iter().flatten().map(|file| Range { start: file.address, length: file.length }).collect();
    // A variant without a file boots from a device tree that the lab loads there.
    let own = manifest.spec.dtb.as_ref().filter(|_| files.dtb.is_none());
    memory.extend(own.map(|dtb| Range { start: dtb.address.0, length: 1 }));
    let mut doubts = Vec::new();
    let mut boots = false;
    for command in files.bootcmd.split([';', '\n']) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match &words[..] {
            ["booti" | "bootm" | "bootz", arguments @ ..] => {
                boots = true;
                doubts.extend(arguments.iter().filter_map(|it| not_loaded(it, &memory)));
                doubts.extend(bare_initram(&words, files));
            }
            ["zboot", kernel, further @ ..] => {
                boots = true;
                // A size stands behind each of the two addresses.
                let addresses = [Some(kernel), further.get(1)];
                doubts.extend(addresses.into_iter().flatten().filter_map(|it| not_loaded(it, &memory)));
            }
            ["unlz4" | "unzip" | "lzmadec" | "zstd", from, to, ..] => {
                doubts.extend(not_loaded(from, &memory));
                memory.extend(address(to).map(|start| Range { start, length: 1 }));
            }
            ["imxtract", from, _, to] => {
                doubts.extend(not_loaded(from, &memory));
                memory.extend(address(to).map(|start| Range { start, length: 1 }));
            }
            ["run" | "boot" | "bootd" | "bootefi" | "bootflow" | "go", ..] => boots = true,
            _ => {}
        }
    }
    if !boots {
        let known = "`booti`, `bootm`, `bootz` or `zboot`";
        doubts.push(format!("{} boots nothing; expected {known}", quoted(&files.bootcmd)));
    }
    doubts
}

/// A doubt about an argument that names an address where nothing is. Variables and parts of a FIT are U-Boot's to know.
fn not_loaded(argument: &str, memory: &[Range]) -> Option<String> {
    let start = address(argument)?;
    let inside = |range: &Range| (range.start..range.start.saturating_add(range.length)).contains(&start);
    if memory.iter().any(inside) {
        return None;
    }
    let there: Vec<String> = memory.iter().map(|range| Address(range.start).to_string()).collect();
    Some(format!(
        "{} is an address where nothing is loaded; loaded are {}",
        quoted(argument),
        there.join(", ")
    ))
}

/// `booti` takes a RAM disk without header only with its size (U-Boot documentation, "booti command").
fn bare_initram(words: &[&str], files: &Files) -> Option<String> {
    let initram = files.initram.as_ref()?;
    let argument = words.get(2)?;
    let bare = !argument.contains(':') && address(argument) == Some(initram.address);
    (bare && words.first() != Some(&"bootm") && !format::is_legacy(&initram.path)).then(|| {
        format!(
            "{} has no size and `{}` no U-Boot header that tells it; write `{argument}:${{initram_size}}`",
            quoted(argument),
            initram.name
        )
    })
}

/// The address in `ADDRESS`, `ADDRESS:SIZE`, `ADDRESS:part` or `ADDRESS#configuration`.
fn address(argument: &str) -> Option<u64> {
    let text = argument.split(['#', ':']).next()?;
    text.parse::<Address>().ok().map(|address| address.0)
}
