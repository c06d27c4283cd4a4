//! What makes a network namespace private.

use super::*;

/// Checks which interfaces of a listing are strange.
fn check(listing: &str, expected: &[&str]) {
    assert_eq!(strange(&parse(listing.as_bytes()).unwrap()), expected, "{listing}");
}

#[test]
fn only_lo_and_taps_of_ours_are_at_home_in_a_private_namespace() {
    let tap = |alias: &str, kind: &str| {
        format!(
            r#"[{{"ifname":"lo","flags":["UP"]}},{{"ifname":"x","flags":["UP"],"ifalias":"{alias}","linkinfo":{{"info_kind":"{kind}","info_data":{{}}}}}}]"#
        )
    };
    check("[]", &[]);
    check(r#"[{"ifname":"lo"}]"#, &[]);
    check(r#"[{"ifname":"lo"},{"ifname":"eth0"},{"ifname":"wlan0","operstate":"DOWN"}]"#, &["eth0", "wlan0"]);
    check(&tap("flasher qemu-board, process 12", "tun"), &[]);
    check(&tap("flasher qemu-board, process 12", "veth"), &["x"]);
    check(&tap("flasher qemu-board, process", "tun"), &["x"]);
    check(&tap("", "tun"), &["x"]);
    check(r#"[{"ifname":"sit0","flags":["NOARP"]}]"#, &[]);
    check(r#"[{"ifname":"sit0","flags":["NOARP","UP"]}]"#, &["sit0"]);
}

#[test]
fn an_answer_that_is_not_iproute2s_is_an_error() {
    let error = parse(b"BusyBox v1.35").unwrap_err();
    assert!(error.starts_with("its answer is not that of iproute2: "), "{error}");
}
