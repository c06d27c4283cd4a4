//! Which shared libraries a 64-bit little-endian ELF file asks for (System V ABI, chapters 4 and 5).

use anyhow::{Context, Result, bail};

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// A program header: type, offset in the file, address in memory, length in the file.
#[derive(Clone, Copy, Debug)]
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    length: u64,
}

/// Names of the libraries, as in `libc.so.6`; none for a static program.
pub(super) fn needed(file: &[u8]) -> Result<Vec<String>> {
    let segments = segments(file)?;
    let Some(dynamic) = segments.iter().find(|it| it.kind == PT_DYNAMIC) else { return Ok(Vec::new()) };
    let count = dynamic.length / 16;
    let entries: Vec<(u64, u64)> = (0..count)
        .map(|it| {
            Ok((number(file, dynamic.offset + 16 * it, 8)?, number(file, dynamic.offset + 16 * it + 8, 8)?))
        })
        .collect::<Result<_>>()?;
    let address = entries.iter().find(|it| it.0 == DT_STRTAB).context("ELF file: no string table")?.1;
    let strings = file_offset(&segments, address)?;
    entries.iter().filter(|it| it.0 == DT_NEEDED).map(|it| string(file, strings + it.1)).collect()
}

/// Path of the dynamic loader; none for a static program or a library.
pub(super) fn interpreter(file: &[u8]) -> Result<Option<String>> {
    segments(file)?.iter().find(|it| it.kind == PT_INTERP).map(|it| string(file, it.offset)).transpose()
}

fn segments(file: &[u8]) -> Result<Vec<Segment>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        bail!("not a 64-bit little-endian ELF file");
    }
    let (table, size, count) = (number(file, 32, 8)?, number(file, 54, 2)?, number(file, 56, 2)?);
    (0..count)
        .map(|it| {
            let at = table + it * size;
            Ok(Segment {
                kind: number(file, at, 4)?,
                offset: number(file, at + 8, 8)?,
                address: number(file, at + 16, 8)?,
                length: number(file, at + 32, 8)?,
            })
        })
        .collect()
}

fn file_offset(segments: &[Segment], address: u64) -> Result<u64> {
    let holds = |it: &&Segment| it.kind == PT_LOAD && (it.address..it.address + it.length).contains(&address);
    let segment =
        segments.iter().find(holds).with_context(|| format!("ELF file: nothing at {address:#x}"))?;
    Ok(address - segment.address + segment.offset)
}

/// A little-endian number of `size` bytes.
fn number(file: &[u8], at: u64, size: usize) -> Result<u64> {
    let bytes = usize::try_from(at).ok().and_then(|at| file.get(at..at.checked_add(size)?));
    let bytes = bytes.with_context(|| format!("ELF file: ends before {at:#x}"))?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn string(file: &[u8], at: u64) -> Result<String> {
    let rest = usize::try_from(at).ok().and_then(|at| file.get(at..));
    let rest = rest.with_context(|| format!("ELF file: ends before {at:#x}"))?;
    let text = rest.split(|it| *it == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn this_program_needs_the_c_library() {
        if cfg!(not(all(target_pointer_width = "64", target_endian = "little", target_env = "gnu"))) {
            println!("skipped: tests are not a glibc program for a 64-bit little-endian machine here");
            return;
        }
        let program = fs::read("/proc/self/exe").unwrap();
        assert!(needed(&program).unwrap().contains(&"libc.so.6".to_owned()));
        let interpreter = interpreter(&program).unwrap().unwrap();
        assert!(interpreter.starts_with("/lib") && fs::metadata(&interpreter).is_ok(), "{interpreter}");
        let cut = needed(&program[..100]).unwrap_err().to_string();
        assert!(cut.starts_with("ELF file: ends before 0x"), "{cut}");
    }

    #[test]
    fn a_script_is_not_a_program() {
        let error = needed(b"#!/bin/sh\n").unwrap_err();
        assert_eq!(error.to_string(), "not a 64-bit little-endian ELF file");
    }
}
