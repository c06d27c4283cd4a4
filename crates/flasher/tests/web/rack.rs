//! Several boards, looked at while one command flashes them.

use std::fs;

use crate::browser::play;
use crate::lab::{Lab, noise};

#[test]
fn a_rack_is_watched_while_one_board_fails() {
    play(&[], |browser| async move {
        let lab = Lab::rack(&[
            ("left", "slow: 3MiB"),
            ("middle", "slow: 2MiB"),
            ("right", "power_stuck: true"),
            ("top", "slow: 4MiB"),
        ]);
        let exporter = lab.serve(&["--web", "127.0.0.1:0", "--unix", "exporter.sock"]);
        browser.open(&exporter.address).await;
        browser.until_live().await;
        fs::write(lab.path("os.img"), noise(12 << 20, 5)).unwrap();
        let remote = format!("unix:{}", lab.path("exporter.sock").display());
        let order = ["--remote", &remote, "--quiet", "flash", "os.img", "--all", "--retries", "0"];
        let mut command = lab.flasher(&order);
        command.env_remove("FLASHER_EXPORTER");
        let ordered = std::thread::spawn(move || command.output());
        browser.until_says("#boards", "flash os.img: failed").await;
        // A picture of the middle, where it does not pass too quickly.
        browser.until("/: write .* %|proven/.test(document.querySelector('#boards').textContent)").await;
        browser.picture("rack-flashing").await;
        let output = ordered.join().unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(4), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("3 of 4 boards done"), "{said}");
        browser
            .until("document.querySelector('#boards').textContent.split('flash os.img: proven').length === 4")
            .await;
        browser.check_page(&exporter.address).await;
        browser.picture("rack").await;
    });
}
