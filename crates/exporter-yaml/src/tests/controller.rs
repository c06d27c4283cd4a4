//! What a file says of its controller, and the sentences about what is missing.

use std::path::Path;
use std::time::Duration;

use crate::{ControllerSettings, Document, Findings, OnFailure, controller};

const WHOLE: &str = "metadata: { namespace: lab, name: one }
endpoint: controller.example.org:8082
token: s3cret
tls: { ca: Q0E= }
";

fn read(text: &str, variables: &[(&str, &str)]) -> Result<ControllerSettings, Findings> {
    let text = format!("{text}export: {{ power: {{ type: power-mock }} }}\n");
    let variable = |name: &str| {
        let found = variables.iter().find(|(it, _)| *it == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    controller(&Document::parse("lab.yaml", Path::new("/lab"), &text).unwrap(), variable)
}

#[test]
fn a_whole_file_of_jumpstarters_is_read() {
    let text = format!(
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmotd: hello\nexitOnLeaseEnd: true\nfailureDetection: {{ maxRapidFailures: 5 }}
grpcOptions: {{ grpc.keepalive_time_ms: 5000, grpc.keepalive_timeout_ms: '7000', grpc.lb_policy_name: round_robin, grpc.other: 1 }}
hooks: {{ beforeLease: {{ script: 'j power on', timeout: 7, onFailure: endLease }}, afterLease: {{ script: ' ' }} }}\n{WHOLE}"
    );
    let found = read(&text, &[]).unwrap();
    assert_eq!(
        (found.access.endpoint.as_str(), found.access.namespace.as_str()),
        ("controller.example.org:8082", "lab")
    );
    assert_eq!((found.access.name.as_str(), found.access.token.reveal()), ("one", "s3cret"));
    assert_eq!(found.access.authority.as_deref(), Some(&b"CA"[..]));
    assert_eq!(found.access.keepalive, (Duration::from_secs(5), Duration::from_secs(7)));
    assert_eq!(found.access.unused_options, ["grpc.other"]);
    let hook = found.before_lease.clone().unwrap();
    assert_eq!((hook.timeout, hook.on_failure), (Duration::from_secs(7), OnFailure::EndLease));
    assert_eq!((&found.after_lease, found.exit_on_lease_end, found.access.insecure), (&None, true, false));
    assert!(!format!("{found:?}").contains("s3cret"));
}

#[test]
fn the_environment_fills_gaps() {
    let text = WHOLE.replace("namespace: lab, name: one", "name: one");
    let variables = [("JMP_NAMESPACE", "other"), ("JMP_NAME", "two"), ("JMP_GRPC_INSECURE", "1")];
    let found = read(&text, &variables).unwrap();
    let found = found.access;
    assert_eq!((found.namespace.as_str(), found.name.as_str(), found.insecure), ("other", "one", true));
}

#[test]
fn everything_that_is_missing_or_wrong_is_named_at_once() {
    let check = |text: &str, expected: &[&str]| {
        let found = read(text, &[]).unwrap_err().to_string();
        for expected in expected {
            assert!(found.contains(expected), "{text}: {found}");
        }
    };
    let names = ["`metadata.namespace`", "`metadata.name`", "`endpoint`", "`token`"];
    check(
        "",
        &names
            .map(|name| format!("{name} is missing, which a controller needs"))
            .each_ref()
            .map(String::as_str),
    );
    check(
        &WHOLE.replace(":8082", ""),
        &["`controller.example.org` is no address of a controller", "give HOST:PORT"],
    );
    let help = "`base64 -w0 ca.pem`";
    check(&WHOLE.replace("Q0E=", "'Q*E='"), &["lab.yaml:4:", "it has `*` as its character 2", help]);
    check(
        &WHOLE.replace("Q0E=", "Q0E"),
        &["lab.yaml:4:", "it was cut: 3 characters are no whole number of bytes"],
    );
    check(&WHOLE.replace("Q0E=", "Q0F="), &["lab.yaml:4:", "it was cut or changed at its character 3"]);
    let pem = "'-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----'";
    check(&WHOLE.replace("Q0E=", pem), &["lab.yaml:4:", "it is the PEM itself", help]);
    check(&WHOLE.replace("ca: Q0E=", "insecur: true"), &["unknown key `insecur`", "`insecure`"]);
    check(&WHOLE.replace("s3cret", "[1]"), &["token"]);
    check(&format!("{WHOLE}hooks: {{ beforeLease: {{ timeout: 1 }} }}\n"), &["script"]);
    check(&format!("{WHOLE}hooks: {{ beforeLease: {{ script: x, onFailure: panic }} }}\n"), &["onFailure"]);
}

/// What is wrong with the keys about a lab is found where no lab is asked for, as by `flasher check`.
#[test]
fn a_file_used_without_a_lab_is_looked_at_as_a_whole() {
    let check = |line: &str, expected: &[&str]| {
        let text = format!("{line}\nexport: {{ power: {{ type: test-power }} }}\n");
        let found = crate::build(&Document::parse("lab.yaml", Path::new("/lab"), &text).unwrap());
        let found = found.err().map(|it| it.to_string()).unwrap_or_default();
        assert_eq!(found.is_empty(), expected.is_empty(), "{line}: {found}");
        for expected in expected {
            assert!(found.contains(expected), "{line}: {expected}: {found}");
        }
    };
    check(
        "hooks: { before_lease: { script: x, on_failure: endLease }, afterLease: { script: y, timeout: 1 } }",
        &[],
    );
    check("hooks:", &[]);
    check("hooks: 7", &["lab.yaml:1:8", "expected a mapping"]);
    check("hooks: { beforeLease: echo }", &["lab.yaml:1:", "hooks.beforeLease"]);
    check(
        "hooks: { beforeLeas: { script: x } }",
        &["lab.yaml:1:10", "unknown key `beforeLeas`", "`beforeLease`"],
    );
    check("hooks: { beforeLease: { script: x, timeot: 7 } }", &["unknown key `timeot`", "`timeout`"]);
    check("hooks: { beforeLease: { timeout: 7 } }", &["the key `script` is missing"]);
    check("hooks: { afterLease: { script: x, timeout: 0 } }", &["lab.yaml:1:44", "`timeout: 0`"]);
    check(
        "hooks: { afterLease: { script: x, timeout: -1 } }",
        &["lab.yaml:1:44", "hooks.afterLease.timeout"],
    );
    check("hooks: { afterLease: { script: x, timeout: soon } }", &["hooks.afterLease.timeout", "`soon`"]);
    check("hooks: { afterLease: { script: x, onFailure: stop } }", &["hooks.afterLease.onFailure", "`stop`"]);
    check("exitOnLeaseEnd: 1", &["lab.yaml:1:17", "exitOnLeaseEnd"]);
    check("motd: [hello]", &["lab.yaml:1:7", "motd"]);
    check("failureDetection: { maxRapidFailures: 5, rapidFailureWindow: 60 }", &[]);
    check("failureDetection: { maxRapidFailures: 0 }", &["lab.yaml:1:39", "`maxRapidFailures` is 0"]);
    check("failureDetection: { rapidFailureWindow: -1 }", &["failureDetection.rapidFailureWindow"]);
    check("failureDetection: { most: 1 }", &["unknown key `most`"]);
    check("tls: { ca: 7 }", &["tls.ca"]);
    check("endpoint: [1]", &["endpoint"]);
}

#[test]
fn a_client_file_of_jumpstarters_is_read() {
    let client = |text: &str| {
        let document = Document::parse("me.yaml", Path::new("/lab"), text).unwrap();
        let variable = |name: &str| (name == "JMP_NAME").then(|| "me".to_owned());
        crate::client(&document, variable).map_err(|it| it.to_string())
    };
    let whole = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ClientConfig\nmetadata: { namespace: lab }
endpoint: controller.example.org:8082\ntoken: s3cret\ntls: { ca: '', insecure: false }\ngrpcOptions: {}
drivers: { allow: [], unsafe: true }\nshell: { use_profiles: false }\nrefresh_token: x\nleases: { acquisition_timeout: 60, dial_timeout: 2.5 }\n";
    let found = client(whole).unwrap();
    assert_eq!((found.access.name.as_str(), found.access.token.reveal()), ("me", "s3cret"));
    assert_eq!((found.acquisition, found.dial), (Duration::from_secs(60), Duration::from_millis(2500)));
    for (text, expected) in [
        (
            whole.replace("ClientConfig", "UserConfig"),
            "expected a client file (`kind: ClientConfig`), found `UserConfig`",
        ),
        (whole.replace("s3cret", "''"), "`token` is missing, which a controller needs"),
        (whole.replace("2.5", "0"), "`dial_timeout` must be more than 0 seconds"),
        (whole.replace("60", "soon"), "leases.acquisition_timeout"),
    ] {
        let complaint = client(&text).unwrap_err();
        assert!(complaint.contains(expected) && !complaint.contains("s3cret"), "{complaint}");
    }
    let current = |text: &str| {
        crate::current_client(&Document::parse("config.yaml", Path::new("/"), text).unwrap()).unwrap()
    };
    assert_eq!(current("kind: UserConfig\nconfig: { current-client: mine }\n").as_deref(), Some("mine"));
    assert_eq!(current("config: { current-client: null }\n"), None);
}
