//! Results and attestations as tools of others read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use report::{SigningKey, attest, junit, kcidb};
use serde_json::{Value, json};

use crate::sample::{CONSOLE, failed, job, proven};

/// The Python of the validators' environment; none, with a word about it, when `cargo xtask test` has not made it. In CI it must
/// be there.
fn python() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("validators-1");
    if folder.join("stamp").exists() {
        return Some(folder.join("bin/python"));
    }
    assert!(std::env::var_os("CI").is_none(), "no validators in {}", folder.display());
    println!("skipped: no validators in {}; `cargo xtask test` installs them", folder.display());
    None
}

/// Runs a Python program in `folder` and gives what it prints.
fn ran(python: &Path, folder: &Path, program: &str) -> String {
    let output = Command::new(python).args(["-c", program]).current_dir(folder).output().unwrap();
    printed(&output)
}

fn printed(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.trim().to_owned()
}

/// `openssl` with these words in `folder`; none, with a word about it, where there is none.
fn openssl(folder: &Path, words: &str) -> Option<String> {
    match Command::new("openssl").args(words.split(' ')).current_dir(folder).output() {
        Ok(output) => Some(printed(&output)),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "no openssl: {error}");
            println!("skipped: no openssl here");
            None
        }
    }
}

/// A suite for each class of failure, one of a proven flash and one of a dump.
fn jobs() -> Vec<report::ReportedJob> {
    let classes = ["config", "source", "infrastructure", "board", "medium", "internal", "interrupted"];
    let mut jobs: Vec<_> = classes.iter().map(|class| job(failed(class, "verify"), CONSOLE)).collect();
    let mut written = proven(12);
    written["verdict"] = json!("written, not proven");
    written["medium"]["verify"] = json!("mapped");
    jobs.extend([job(proven(12), CONSOLE), job(written, "")]);
    jobs
}

#[test]
fn junit_is_read_by_junitparser() {
    let (Some(python), folder) = (python(), tempfile::tempdir().unwrap()) else { return };
    fs::write(folder.path().join("junit.xml"), junit(&jobs()).unwrap()).unwrap();
    let program = r#"
import junitparser, lxml.etree
xml = junitparser.JUnitXml.fromfile("junit.xml")
for suite in xml:
    cases = list(suite)
    results = {case.name: [type(result).__name__ for result in case.result] for case in cases}
    assert suite.tests == len(cases), suite.tests
    assert suite.failures == sum("Failure" in it for it in results.values())
    assert suite.errors == sum("Error" in it for it in results.values())
    assert all(case.classname == "flasher.rack-3.board.storage" for case in cases)
    print(dict((it.name, it.value) for it in suite.properties()).get("class"), results["verdict"], results["verify"], results["finish"])
lxml.etree.parse("junit.xml", lxml.etree.XMLParser(resolve_entities=False, no_network=True))
"#;
    let expected = "config ['Error'] ['Error'] ['Skipped']
image ['Failure'] ['Failure'] ['Skipped']
infrastructure ['Error'] ['Error'] ['Skipped']
board ['Failure'] ['Failure'] ['Skipped']
medium ['Failure'] ['Failure'] ['Skipped']
internal ['Error'] ['Error'] ['Skipped']
interrupted ['Error'] ['Error'] ['Skipped']
None [] [] []
None [] [] []";
    pretty_assertions::assert_eq!(ran(&python, folder.path(), program), expected);
}

#[test]
fn kcidb_takes_the_results() {
    let (Some(python), folder) = (python(), tempfile::tempdir().unwrap()) else { return };
    fs::write(folder.path().join("kcidb.json"), kcidb(&jobs(), "lab_1").unwrap()).unwrap();
    let program = r#"
import json, kcidb_io
results = json.load(open("kcidb.json"))
version = kcidb_io.schema.V5_3
assert version.is_valid_exactly(results), version.validate_exactly(results)
kcidb_io.schema.LATEST.validate(results)
print(*[test["status"] for test in results["tests"]], len(results["builds"]))
"#;
    let expected = "MISS FAIL MISS ERROR ERROR ERROR MISS PASS DONE 1";
    assert_eq!(ran(&python, folder.path(), program), expected);
    let refused = kcidb(&[], "Lab 1").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "`Lab 1` is no origin of KCIDB: expected lowercase letters, digits and `_`"
    );
}

/// How openssl makes the keys, and the PEM label that they have.
const KEYS: [(&str, &str); 3] = [
    ("genpkey -algorithm ed25519 -out key.pem", "PRIVATE KEY"),
    ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem", "PRIVATE KEY"),
    ("ecparam -name prime256v1 -genkey -out key.pem", "EC PRIVATE KEY"),
];

#[test]
fn stock_tools_verify_what_is_attested() {
    let Some(python) = python() else { return };
    for (made_by, label) in KEYS {
        let folder = tempfile::tempdir().unwrap();
        if openssl(folder.path(), made_by).is_none() {
            return;
        }
        openssl(folder.path(), "pkey -in key.pem -pubout -out public.pem").unwrap();
        let pem = fs::read_to_string(folder.path().join("key.pem")).unwrap();
        assert!(pem.contains(&format!("-----BEGIN {label}-----")), "{made_by}");
        let key = SigningKey::from_pem(&pem).unwrap();
        for (receipt, result) in [(proven(12), "PASSED"), (failed("medium", "verify"), "FAILED")] {
            let envelope = attest(&job(receipt, ""), &key).unwrap();
            fs::write(folder.path().join("receipt.intoto.jsonl"), &envelope).unwrap();
            assert_eq!(ran(&python, folder.path(), VERIFY), format!("{result} 2 {}", key.id()), "{made_by}");
        }
        openssl_verifies(folder.path(), made_by.contains("ed25519"));
    }
}

/// Checks the envelope with securesystemslib, and the statement with in-toto's own types. Leaves what was signed for openssl.
const VERIFY: &str = r#"
import base64, hashlib, json
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey
envelope = Envelope.from_dict(json.load(open("receipt.intoto.jsonl")))
public = load_pem_public_key(open("public.pem", "rb").read())
keyid = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
key = SSlibKey.from_crypto(public, keyid=keyid)
envelope.verify([key], 1)
statement = json.loads(envelope.payload)
Statement.copy_from_pb(json_format.Parse(json.dumps(statement), statement_pb2.Statement())).validate()
json_format.Parse(json.dumps(statement["predicate"]), test_result_pb2.TestResult())
open("signed", "wb").write(envelope.pae())
open("signature", "wb").write(bytes.fromhex(list(envelope.signatures.values())[0].signature))
envelope.payload += b" "
try:
    envelope.verify([key], 1)
    raise SystemExit("a changed payload was accepted")
except VerificationError:
    print(statement["predicate"]["result"], len(statement["subject"]), keyid)
"#;

fn openssl_verifies(folder: &Path, is_ed25519: bool) {
    let words = match is_ed25519 {
        true => "pkeyutl -verify -pubin -inkey public.pem -rawin -in signed -sigfile signature",
        false => "dgst -sha256 -verify public.pem -signature signature signed",
    };
    let said = openssl(folder, words).unwrap();
    assert!(["Signature Verified Successfully", "Verified OK"].contains(&said.as_str()), "{said}");
}

#[test]
fn what_cannot_be_attested_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    if openssl(folder.path(), KEYS[0].0).is_none() {
        return;
    }
    let key = SigningKey::from_pem(&fs::read_to_string(folder.path().join("key.pem")).unwrap()).unwrap();
    let mut unproven = proven(12);
    unproven["medium"]["ranges"][2]["read_back"] = json!(null);
    let mut undecoded = failed("source", "image");
    undecoded["image"] = json!({ "source": "os.img.xz", "format": null, "source_length": null, "source_sha256": null,
        "decoded_length": null, "decoded_sha256": null, "checked": null, "block_map": null });
    let cases: [(Value, &str); 2] = [
        (
            unproven,
            "nothing is attested: the receipt `receipt.json` proves nothing: a range was not read back, or differs (`medium.ranges[2]`)",
        ),
        (undecoded, "nothing is attested: the receipt `receipt.json` names no digest of an image"),
    ];
    for (receipt, expected) in cases {
        let error = attest(&job(receipt, ""), &key).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.class().exit_code()), (expected, 3));
    }
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let cases = [
        (String::new(), "it is no PEM"),
        (pem("CERTIFICATE"), "it is a `CERTIFICATE`"),
        (pem("PUBLIC KEY"), "it is a `PUBLIC KEY`"),
        (pem("RSA PRIVATE KEY"), "it is a `RSA PRIVATE KEY`"),
        (pem("ENCRYPTED PRIVATE KEY"), "it is encrypted (`ENCRYPTED PRIVATE KEY`)"),
        (pem("ENCRYPTED SIGSTORE PRIVATE KEY"), "it is encrypted (`ENCRYPTED SIGSTORE PRIVATE KEY`)"),
        (pem("PRIVATE KEY"), "it is damaged, or of another kind"),
        (pem("EC PRIVATE KEY"), "it is damaged, or of another kind"),
    ];
    for (pem, why) in cases {
        let error = SigningKey::from_pem(&pem).unwrap_err();
        assert_eq!(error.to_string(), format!("this key cannot sign: {why}"));
        assert_eq!(error.class().exit_code(), 2);
    }
}
