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
    assert_eq!((found.endpoint.as_str(), found.namespace.as_str()), ("controller.example.org:8082", "lab"));
    assert_eq!((found.name.as_str(), found.token.reveal()), ("one", "s3cret"));
    assert_eq!(found.authority.as_deref(), Some(&b"CA"[..]));
    assert_eq!(found.keepalive, (Duration::from_secs(5), Duration::from_secs(7)));
    assert_eq!(found.unused_options, ["grpc.other"]);
    let hook = found.before_lease.clone().unwrap();
    assert_eq!((hook.timeout, hook.on_failure), (Duration::from_secs(7), OnFailure::EndLease));
    assert_eq!((&found.after_lease, found.exit_on_lease_end, found.insecure), (&None, true, false));
    assert!(!format!("{found:?}").contains("s3cret"));
}

#[test]
fn the_environment_fills_gaps() {
    let text = WHOLE.replace("namespace: lab, name: one", "name: one");
    let variables = [("JMP_NAMESPACE", "other"), ("JMP_NAME", "two"), ("JMP_GRPC_INSECURE", "1")];
    let found = read(&text, &variables).unwrap();
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
    check(&WHOLE.replace("Q0E=", "'*'"), &["lab.yaml:4:"]);
    check(&WHOLE.replace("s3cret", "[1]"), &["token"]);
    check(&format!("{WHOLE}hooks: {{ beforeLease: {{ timeout: 1 }} }}\n"), &["script"]);
    check(&format!("{WHOLE}hooks: {{ beforeLease: {{ script: x, onFailure: panic }} }}\n"), &["onFailure"]);
}
