//! Switches in the network, played by a real small HTTP server; and every sentence an error has.

mod errors;
mod socket;

use std::path::Path;
use std::sync::Arc;

use exporter_yaml::Document;
use flasher_core::{Device, Error, PowerDriver, Reading, Result, testing};

use socket::Socket;

fn device(config: &str) -> Result<Device> {
    let yaml = format!("export:\n  power: {{ type: power-http, config: {{ {config} }} }}\n");
    exporter_yaml::build(&Document::parse("lab.yaml", Path::new("/lab"), &yaml)?)?.find("power")
}

fn switch(config: &str) -> Arc<dyn PowerDriver> {
    let Device::Power(switch, _) = device(config).unwrap() else { panic!("no switch") };
    switch
}

async fn refusal(config: &str) -> Error {
    let error = switch(config).on().await.unwrap_err();
    assert_eq!(testing::errors(&error), [""; 0]);
    error
}

#[tokio::test]
async fn presets_send_their_devices_requests() {
    for (preset, outlet, asked) in [
        ("tasmota", "", "GET /cm?cmnd=Power1%20On"),
        ("tasmota", ", outlet: 2", "GET /cm?cmnd=Power2%20On"),
        ("shelly", "", "GET /relay/0?turn=on"),
        ("shelly-gen2", ", outlet: 3", "GET /rpc/Switch.Set?id=3&on=true"),
    ] {
        let socket = Socket::start().await;
        let config = format!("preset: {preset}, host: '{}'{outlet}", socket.host());
        switch(&config).on().await.unwrap();
        assert_eq!(socket.asked().first().map(String::as_str), Some(asked), "{config}");
        assert_eq!(testing::power(&|| device(&config).unwrap()).await, [""; 0], "{config}");
    }
}

#[tokio::test]
async fn what_the_board_draws_is_read_where_the_switch_can_measure() {
    for (preset, expected) in [
        ("tasmota", Some(Reading { voltage: 231.0, current: 0.25 })),
        ("shelly-gen2", Some(Reading { voltage: 230.1, current: 0.05 })),
        ("shelly", None),
    ] {
        let socket = Socket::start().await;
        let Device::Power(_, meter) =
            device(&format!("preset: {preset}, host: '{}'", socket.host())).unwrap()
        else {
            panic!("no switch")
        };
        let read = match meter {
            Some(meter) => meter.read().await.unwrap().first().copied(),
            None => None,
        };
        assert_eq!(read, expected, "{preset}");
    }
}

#[tokio::test]
async fn requests_of_ones_own_have_method_body_headers_and_user() {
    let socket = Socket::start().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "open sesame\n").unwrap();
    let config = format!(
        "host: '{}', outlet: 7, user: lab, password_file: {}/password, headers: {{ X-Token: t0ken }}, on: {{ method: PUT, url: 'http://{{host}}/echo', body: '{{\"outlet\":{{outlet}}}}' }}, off: {{ method: POST, url: 'http://{{host}}/echo', body: 'no', content_type: text/plain }}",
        socket.host(),
        folder.path().display()
    );
    let power = switch(&config);
    power.on().await.unwrap();
    power.off().await.unwrap();
    power.probe().await.unwrap();
    assert_eq!(power.state().await.unwrap(), None, "without `status` the state is unknown");
    assert_eq!(
        socket.echoed(),
        [
            "PUT application/json Basic bGFiOm9wZW4gc2VzYW1l t0ken {\"outlet\":7}",
            "POST text/plain Basic bGFiOm9wZW4gc2VzYW1l t0ken no"
        ]
    );
}

#[tokio::test]
async fn shelly_digest_login_hides_the_password() {
    let folder = tempfile::tempdir().unwrap();
    for (file, password) in [("right", "open sesame"), ("wrong", "open barley")] {
        std::fs::write(folder.path().join(file), format!("{password}\n")).unwrap();
    }
    let socket = Socket::start().await;
    socket.guard("admin", "open sesame");
    let config = |more: &str| format!("preset: shelly-gen2, host: '{}', user: admin{more}", socket.host());
    let with = |file: &str| format!(", password_file: {}/{file}", folder.path().display());
    assert_eq!(testing::power(&|| device(&config(&with("right"))).unwrap()).await, [""; 0]);
    let power = switch(&config(&with("right")));
    power.on().await.unwrap();
    assert_eq!(power.state().await.unwrap(), Some(true));
    let logins = socket.logins();
    assert!(
        !logins.is_empty() && logins.iter().all(|it| it.starts_with("Digest username=\"admin\"")),
        "{logins:?}"
    );

    for (more, expected) in [
        (with("wrong"), "refuses the user: status 401"),
        (String::new(), "refuses the user: status 401"),
        (format!("{}, auth: basic", with("right")), "refuses the user: status 401"),
    ] {
        let error = refusal(&config(&more)).await;
        assert!(error.to_string().ends_with(expected) && !error.is_retryable(), "{more}: {error}");
    }
}

#[tokio::test]
async fn a_login_of_another_kind_is_told() {
    let socket = Socket::start().await;
    let config = format!(
        "host: '{0}', user: lab, auth: digest, on: 'http://{{host}}/status/401', off: 'http://{{host}}/'",
        socket.host()
    );
    let error = refusal(&config).await;
    let expected = format!(
        "the power switch at `http://{}/status/401` asks for a login that is not `Digest` with SHA-256 and `qop=\"auth\"`",
        socket.host()
    );
    assert_eq!((error.to_string(), error.is_retryable()), (expected, false));
    assert_eq!(socket.logins(), [""; 0], "the password is not sent before it is asked for");
}

#[tokio::test]
async fn curl_gets_in_where_our_digest_does() {
    let socket = Socket::start().await;
    socket.guard("admin", "open sesame");
    let url = format!("http://{}/rpc/Switch.GetStatus?id=0", socket.host());
    for (user, expected) in [("admin:open sesame", "200"), ("admin:no", "401")] {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u", user, &url]);
        let Ok(output) = curl.output().await else {
            assert!(std::env::var_os("CI").is_none(), "curl is missing");
            return eprintln!("skipped: no `curl` on this machine");
        };
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{user}");
    }
}

#[tokio::test]
async fn what_a_switch_answers_decides_whether_it_is_asked_again() {
    let socket = Socket::start().await;
    let (host, at) = (socket.host(), |path: &str| format!("http://{}/{path}", socket.host()));
    for (path, retryable, expected) in [
        ("status/401", false, "refuses the user: status 401"),
        ("status/403", false, "refuses the user: status 403"),
        ("status/404", false, "answered with status 404"),
        ("status/500", true, "answered with status 500"),
        ("status/503", true, "answered with status 503"),
        ("status/302", false, "answered with status 302"),
    ] {
        let config =
            format!("host: '{host}', on: 'http://{{host}}/{path}?password=hunter2', off: 'http://{{host}}/'");
        let error = refusal(&config).await;
        assert_eq!(error.to_string(), format!("the power switch at `{}` {expected}", at(path)));
        assert_eq!(error.is_retryable(), retryable, "{path}");
    }
    let error = refusal(&format!("on: '{}', off: '{}', timeout_seconds: 0.2", at("hang"), at(""))).await;
    assert_eq!(
        error.to_string(),
        format!("the power switch at `{}` did not answer within 0.2 s", at("hang"))
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_switch_that_is_away_lies_or_mumbles_is_no_success() {
    let socket = Socket::start().await;
    let at = |path: &str| format!("'http://{}/{path}'", socket.host());
    let lies = format!(
        "on: {}, off: {}, status: {}, confirm_seconds: 0.2",
        at("say/ok"),
        at("say/ok"),
        at("say/off")
    );
    let error = refusal(&lies).await;
    assert_eq!(error.to_string(), "power was switched `on`, but after 0.2 s the switch still reports `off`");
    let mumbles = lies.replace("say/off", "say/maybe");
    let error = refusal(&mumbles).await;
    assert!(error.to_string().ends_with("says neither on nor off, or both: `maybe`"), "{error}");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = gone.local_addr().unwrap().to_string();
    drop(gone);
    let error = refusal(&format!("preset: shelly, host: '{host}'")).await;
    assert_eq!(
        error.to_string(),
        format!(
            "the power switch at `http://{host}/relay/0` cannot be reached: Connection refused (os error 111)"
        )
    );
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_answer_that_says_no_with_a_success_is_no_success() {
    let socket = Socket::start().await;
    for (answer, advice) in [
        (r#"{"Command":"Unknown"}"#, "does it have this `outlet`?"),
        (r#"{"Command":"Error"}"#, "does it have this `outlet`?"),
        (r#"{"WARNING":"Need user=<username>&password=<password>"}"#, "set `user` and `password_file`"),
        (r#"{"code":-105,"message":"Argument 'id', value 5 not found!"}"#, "does it have this `outlet`?"),
    ] {
        let said: String = percent(answer);
        let error = refusal(&format!("on: 'http://{0}/say/{said}', off: 'http://{0}/'", socket.host())).await;
        assert!(error.to_string().contains(" does not take the order: `"), "{answer}: {error}");
        assert!(error.next_step().unwrap().contains(advice), "{answer}: {:?}", error.next_step());
        assert!(!error.is_retryable(), "{answer}");
    }
    for answer in [r#"{"POWER":"ON"}"#, r#"{"code":0,"message":"ok"}"#, r#"{"Command":"Power"}"#, "on", "[1]"]
    {
        let config = format!("on: 'http://{0}/say/{1}', off: 'http://{0}/'", socket.host(), percent(answer));
        switch(&config).on().await.unwrap();
    }
}

/// As a URL takes it; the socket says it again as it was.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

#[tokio::test]
async fn a_password_is_sent_for_the_only_user_a_device_has() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let socket = Socket::start().await;
    let (host, file) = (socket.host(), file.display());
    switch(&format!("preset: tasmota, host: '{host}', password_file: {file}")).on().await.unwrap();
    // `admin:hunter2` (RFC 7617).
    assert_eq!(socket.logins()[0], "Basic YWRtaW46aHVudGVyMg==");
    socket.guard("admin", "hunter2");
    switch(&format!("preset: shelly-gen2, host: '{host}', password_file: {file}")).on().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_an_answer_is_cut_off() {
    let socket = Socket::start().await;
    let power = switch(&format!("on: 'http://{0}/flood', off: 'http://{0}/'", socket.host()));
    power.on().await.unwrap();
}

#[tokio::test]
async fn a_meter_without_its_number_is_told() {
    let socket = Socket::start().await;
    let config = format!(
        "on: 'http://{0}/', off: 'http://{0}/', read: 'http://{0}/say/42', voltage: /u, current: /i",
        socket.host()
    );
    let Device::Power(_, Some(meter)) = device(&config).unwrap() else { panic!("no meter") };
    let error = meter.read().await.unwrap_err();
    assert!(error.to_string().ends_with("/say/42` has no number at `/u`"), "{error}");
    assert_eq!(testing::errors(&error), [""; 0]);
}
