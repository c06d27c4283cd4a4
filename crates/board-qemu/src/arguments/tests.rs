//! QEMU's command line, word by word.

use crate::config::Size;
use crate::model::Model;

use super::*;

fn line(config: &Config) -> String {
    let words = arguments(config, Path::new("/run/b,1"));
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_board_without_disk_and_network() {
    insta::assert_snapshot!(line(&Config::default()), @"
    -nodefaults
    -no-user-config
    -display
    none
    -machine
    virt
    -cpu
    cortex-a57
    -smp
    1
    -m
    1024
    -bios
    /usr/lib/u-boot/qemu_arm64/u-boot.bin
    -chardev
    socket,id=serial,server=off,path=/run/b,,1/serial
    -serial
    chardev:serial
    -chardev
    socket,id=monitor,server=off,path=/run/b,,1/monitor
    -mon
    chardev=monitor,mode=control
    ");
}

#[test]
fn a_board_with_everything() {
    let disk = Disk {
        kind: DiskKind::Virtio,
        file: "/lab/a,b.img".into(),
        size: Some(Size(1 << 25)),
        cache: Cache::None,
        blkdebug: Some("[inject-error]".to_owned()),
    };
    let config = Config {
        disk: Some(disk),
        environment: Some("/lab/env.flash".into()),
        network: Some(BoardNetwork::default()),
        arguments: vec!["-S".to_owned()],
        ..Config::default()
    };
    insta::assert_snapshot!(line(&config), @"
    -nodefaults
    -no-user-config
    -display
    none
    -machine
    virt
    -cpu
    cortex-a57
    -smp
    1
    -m
    1024
    -bios
    /usr/lib/u-boot/qemu_arm64/u-boot.bin
    -drive
    if=pflash,unit=1,format=raw,file=/lab/env.flash
    -drive
    if=none,id=d0,driver=raw,file.driver=blkdebug,file.config=/run/b,,1/blkdebug,file.image.driver=file,file.image.filename=/lab/a,,b.img,cache=none,discard=unmap,werror=report,rerror=report
    -device
    virtio-blk-pci,drive=d0
    -netdev
    tap,id=n0,ifname=qtap0,script=no,downscript=no
    -device
    virtio-net-pci,romfile=,event_idx=off,netdev=n0,mac=52:54:00:e4:74:93
    -chardev
    socket,id=serial,server=off,path=/run/b,,1/serial
    -serial
    chardev:serial
    -chardev
    socket,id=monitor,server=off,path=/run/b,,1/monitor
    -mon
    chardev=monitor,mode=control
    -S
    ");
}

#[test]
fn each_kind_of_disk_has_its_controller() {
    let of = |kind| {
        let file = "/lab/disk.img".into();
        let disk = Disk { kind, file, size: None, cache: Cache::default(), blkdebug: None };
        let line = line(&Config { disk: Some(disk), ..Config::default() });
        let words = line.lines().filter(|word| word.contains("d0") || word.contains("sdhci"));
        words.collect::<Vec<_>>().join(" ")
    };
    let all = [of(DiskKind::Virtio), of(DiskKind::Nvme), of(DiskKind::Sd)];
    insta::assert_snapshot!(all.join("\n"), @"
    if=none,id=d0,format=raw,file=/lab/disk.img,cache=unsafe,discard=unmap,werror=report,rerror=report virtio-blk-pci,drive=d0
    if=none,id=d0,format=raw,file=/lab/disk.img,cache=unsafe,discard=unmap nvme,drive=d0,serial=flasher
    if=none,id=d0,format=raw,file=/lab/disk.img,cache=unsafe,discard=unmap sdhci-pci sd-card,drive=d0
    ");
}

#[test]
fn every_model_names_its_emulator_loader_disk_and_card() {
    let check = |model, kind, expected: &[&str]| {
        let disk = Disk { kind, file: "/d".into(), size: None, cache: Cache::default(), blkdebug: None };
        let network = Some(BoardNetwork::default());
        let config = Config { model, disk: Some(disk), network, ..Config::default() };
        let line = line(&config);
        for word in expected {
            assert!(line.contains(word), "{model:?}: no `{word}` in\n{line}");
        }
        config.emulator().display().to_string()
    };
    let virtio = DiskKind::Virtio;
    assert_eq!(check(Model::Armhf, virtio, &["cortex-a15", "qemu_arm/u-boot.bin"]), "qemu-system-arm");
    let found = check(Model::Riscv64, virtio, &["-kernel", "virtio-blk-device", "virtio-net-device"]);
    assert_eq!(found, "qemu-system-riscv64");
    assert_eq!(check(Model::X86, DiskKind::Nvme, &["u-boot.rom", "e1000", "nvme"]), "qemu-system-x86_64");
    let card = ["if=sd,format=raw,file=/d", "allwinner-sun8i-emac", "filter-buffer", "-smp\n4"];
    assert_eq!(check(Model::OrangepiPc, DiskKind::Sd, &card), "qemu-system-arm");
}
