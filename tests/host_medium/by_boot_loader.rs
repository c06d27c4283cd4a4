//! The board's own U-Boot makes its medium a USB disk of this machine (`ums`); no mux is needed.

use flasher_core::flash::{AutobootEnd, MediumState, PowerState, ViaUsed};
use flasher_core::{Class, FlashJob, Receipt, Step, Verdict};

use super::rig::{MEDIUM, Rig};
use crate::lab::{has, pack, sample};

/// A board whose U-Boot is given `what`; `more` are further keys of its config.
fn rig(what: &str, more: &str) -> Option<Rig> {
    let mut rig = Rig::new()?;
    rig.has_mux = false;
    rig.config = format!(", ums: {what}");
    let disk = rig.disk("medium").display().to_string();
    rig.nodes = format!(
        "  board:
    type: sim-board
    config:
      {{ medium: ./medium, size: {MEDIUM}, bootdelay: 2, usb_gadget: {{ link: ./sd, disk: {disk} }}, without_commands: [hash]{more} }}
"
    );
    rig.children = "      serial: { ref: board.serial }\n      power: { ref: board.power }\n".to_owned();
    Some(rig)
}

fn must_be_proven(rig: &Rig, content: &[u8], receipt: &Receipt) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = rig.medium("medium");
    assert!(medium[..content.len()] == *content, "a false success");
    assert!(medium[content.len()..].iter().all(|byte| *byte == 0xa5), "written behind the image");
    assert!(!rig.path("sd").exists(), "the board has its medium back");
    assert_eq!(receipt.medium.as_ref().unwrap().via, Some(ViaUsed::Host));
    assert_eq!(receipt.board.autoboot.as_ref().unwrap().ended, AutobootEnd::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_the_boot_loader_shares_is_proven() {
    let content = sample();
    for (tool, expect, power_off) in
        [(None, Some("booted from medium"), true), (Some("xz"), None, true), (None, None, false)]
    {
        if tool.is_some_and(|tool| !has(tool)) {
            continue;
        }
        let Some(rig) = rig("0 mmc 1", "") else { return };
        let packed = tool.map_or_else(|| content.clone(), |tool| pack(tool, &content));
        let expect_boot = expect.map(str::to_owned);
        let (receipt, _) = rig.flash(FlashJob { expect_boot, power_off, ..rig.job(&packed) }).await;
        must_be_proven(&rig, &content, &receipt);
        assert_eq!(receipt.power, if power_off { PowerState::Off } else { PowerState::On });
    }
}

/// A job that fails before the medium is opened: its class, its step, and what it says.
async fn check(what: &str, more: &str, name: &str, expected: (Class, Step, &str, &str)) {
    let Some(mut rig) = rig(what, more) else { return };
    if !name.is_empty() {
        rig.nodes = rig.nodes.replace("link: ./sd", &format!("link: ./{name}"));
    }
    let content = sample();
    let (receipt, _) = rig.flash(rig.job(&content)).await;
    let failure = receipt.failure.as_ref().unwrap();
    let (class, step, cause, help) = expected;
    assert_eq!((failure.class, failure.step), (class, step), "{failure:#?}");
    let said = failure.cause.contains(cause) || failure.console.iter().any(|line| line.contains(cause));
    assert!(said, "{failure:#?}");
    assert!(failure.help.as_deref().unwrap_or_default().contains(help), "{failure:#?}");
    assert_eq!(failure.medium, Some(MediumState::Untouched));
    assert_eq!(receipt.power, PowerState::Off);
    assert!(rig.medium("medium").iter().all(|byte| *byte == 0xa5), "the medium was written");
    assert!(["sd", name].iter().all(|link| link.is_empty() || !rig.path(link).exists()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_cannot_be_shared_stays_as_it_is() {
    let of_board = |step, cause, help| (Class::Board, step, cause, help);
    let config = "`host: { ums: \"0 mmc 1\" }` of the flasher's config names a USB controller";
    check(
        "0 mmc 1",
        ", faults: { uboot: { absent: true } }",
        "",
        of_board(Step::Bootloader, "Bad device", config),
    )
    .await;
    check("0 mmc 7", "", "", of_board(Step::Bootloader, "Bad device specification mmc 7", config)).await;
    check("1 mmc 1", "", "", of_board(Step::Bootloader, "Couldn't init USB controller", config)).await;
    let offered = "the boot loader offers the medium as a USB disk, but no disk";
    check(
        "0 mmc 1",
        "",
        "other",
        (Class::Infrastructure, Step::Shell, offered, "(OTG) cabled to this machine"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_without_the_command_is_named() {
    let Some(mut rig) = rig("0 mmc 1", "") else { return };
    rig.nodes = rig.nodes.replace("[hash]", "[ums]");
    let failure = rig.flash(rig.job(&sample())).await.0.failure.unwrap();
    assert!(failure.cause.contains("ums 0 mmc 1"), "{failure:#?}");
    assert!(failure.help.unwrap().contains("this U-Boot was built without `ums`"));
}
