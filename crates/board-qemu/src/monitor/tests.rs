//! The monitor's client against scripted answers.

use super::*;

/// What the client makes of these answers, the greeting first.
async fn check(answers: &[&str], expected: Result<Value, &str>) {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all((answers.join("\r\n") + "\r\n").as_bytes()).await.unwrap();
    let play = async {
        let mut monitor = Monitor::new(near).await?;
        monitor.execute("set_link", json!({})).await
    };
    let ended = async {
        let mut commands = String::new();
        BufReader::new(&mut far).read_line(&mut commands).await.unwrap();
        assert_eq!(commands, "{\"arguments\":{},\"execute\":\"qmp_capabilities\"}\n");
        far.shutdown().await.unwrap();
    };
    let (found, ()) = tokio::join!(play, ended);
    let found = found.map_err(|error| error.to_string());
    assert_eq!(found, expected.map_err(str::to_owned), "{answers:?}");
}

const GREETING: &str = r#"{"QMP": {"version": {}, "capabilities": ["oob"]}}"#;
const DONE: &str = r#"{"return": {}}"#;
const EVENT: &str = r#"{"timestamp": {"seconds": 1}, "event": "RESET", "data": {"guest": false}}"#;

#[tokio::test]
async fn events_between_the_answers_are_passed_over() {
    check(&[GREETING, EVENT, DONE, DONE, EVENT, EVENT, r#"{"return": {"a": 1}}"#], Ok(json!({"a": 1}))).await;
}

#[tokio::test]
async fn a_refusal_is_an_error_with_its_words() {
    let refusal = r#"{"error": {"class": "DeviceNotFound", "desc": "Device 'n0' not found"}}"#;
    check(
        &[GREETING, DONE, DONE, refusal],
        Err("QEMU's monitor did not do `set_link`: Device 'n0' not found"),
    )
    .await;
}

#[tokio::test]
async fn a_monitor_that_ends_or_babbles_is_an_error() {
    check(&[GREETING, DONE, DONE], Err("QEMU's monitor did not do `set_link`: it ended")).await;
    check(
        &[GREETING, "hello"],
        Err("QEMU's monitor did not do `qmp_capabilities`: it does not speak QMP: expected value at line 1 column 1"),
    )
    .await;
}
