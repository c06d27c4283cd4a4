//! Countdowns with keys of their own.

use serde_json::json;

use crate::support::ConsoleUser;

#[tokio::test(flavor = "multi_thread")]
async fn a_keyed_countdown_wants_its_own_keys() {
    for (stop, hashed, typed, stops) in [
        (" ", false, "xx ", true),
        ("stop", false, "no\x03stop", true),
        ("stop", false, "sto\x03p\r", false),
        ("hunter2", true, "\x03\rhunter2\r", true),
        ("hunter2", true, "xhunter2\r", false),
        ("hunter2", true, "hunter2", false),
    ] {
        let autoboot = json!({"prompt": "Autoboot in %d s", "stop": stop, "hashed": hashed});
        let mut person = ConsoleUser::at(json!({"size": "1MiB", "bootdelay": 1, "autoboot": autoboot})).await;
        person.power.on().await.unwrap();
        person.expect("Autoboot in 1 s\r\n").await;
        person.send(typed).await;
        let before = person.expect("=> ").await;
        assert_eq!(!before.contains("No bootable medium"), stops, "{stop} {typed:?}: {before}");
        person.leave().await;
    }
}
