//! Sizes as U-Boot prints them.

/// A size as U-Boot prints it: rounded to tenths (lib/display_options.c, `print_size`).
pub(super) fn rough_size(bytes: u64) -> String {
    let units = [(60, 'E'), (50, 'P'), (40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')];
    let Some((shift, unit)) = units.into_iter().find(|(shift, _)| bytes >> shift != 0) else {
        return format!("{bytes} Bytes");
    };
    let rest = u128::from(bytes & ((1 << shift) - 1));
    let tenths = (10 * rest + (1 << (shift - 1))) >> shift;
    let (whole, tenths) =
        if tenths >= 10 { ((bytes >> shift) + 1, tenths - 10) } else { (bytes >> shift, tenths) };
    if tenths == 0 { format!("{whole} {unit}iB") } else { format!("{whole}.{tenths} {unit}iB") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::MIB;

    #[test]
    fn sizes_are_rounded_as_the_real_one_does() {
        for (bytes, text) in [
            (128 * MIB, "128 MiB"),
            (7_818_182_656, "7.3 GiB"),
            (1023 * MIB + 1023 * 1024, "1024 MiB"),
            (1023 * 1024 + 1023, "1024 KiB"),
            (1536 * MIB, "1.5 GiB"),
            (12, "12 Bytes"),
        ] {
            assert_eq!(rough_size(bytes), text, "{bytes}");
        }
    }
}
