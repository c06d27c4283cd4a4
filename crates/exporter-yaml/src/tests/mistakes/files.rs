//! Wrong files: nothing in them, too much, or no YAML.

use super::check;

#[test]
fn an_empty_file() {
    check(
        "",
        "\
error: the file is empty
  --> lab.yaml:1:1
   = help: an exporter YAML needs `export:` with nodes below

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_file_of_comments() {
    check(
        "\
# export:
#   p: {}
",
        "\
error: the file is empty
  --> lab.yaml:1:1
   1 | # export:
     | ^
   = help: an exporter YAML needs `export:` with nodes below

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_file_without_export() {
    check(
        "\
kind: ExporterConfig
",
        "\
error: the key `export` is missing
  --> lab.yaml:1:1
   1 | kind: ExporterConfig
     | ^
   = help: the nodes of the driver tree go below it

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_file_that_is_a_list() {
    check(
        "\
- export
",
        "\
error: expected a mapping with `export`, found a list
  --> lab.yaml:1:1
   1 | - export
     | ^

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_file_that_is_prose() {
    check(
        "\
hello
",
        "\
error: expected a mapping with `export`, found the text `hello`
  --> lab.yaml:1:1
   1 | hello
     | ^^^^^

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn another_version() {
    check(
        "\
apiVersion: jumpstarter.dev/v2
export: { p: { type: test-power } }
",
        "\
error: expected `jumpstarter.dev/v1alpha1`, found the text `jumpstarter.dev/v2`
  --> lab.yaml:1:13
   1 | apiVersion: jumpstarter.dev/v2
     |             ^^^^^^^^^^^^^^^^^^
   = at:   apiVersion

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn another_kind() {
    check(
        "\
kind: FlashBundleManifest
export: { p: { type: test-power } }
",
        "\
error: expected `ExporterConfig`, found the text `FlashBundleManifest`
  --> lab.yaml:1:7
   1 | kind: FlashBundleManifest
     |       ^^^^^^^^^^^^^^^^^^^
   = at:   kind

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn tabs() {
    check(
        "\
export:
\tp: { type: test-power }
",
        "\
error: this is not valid YAML: tabs disallowed within this context (block indentation)
  --> lab.yaml:2:2
   2 | \tp: { type: test-power }
     | \t^
   = help: YAML is indented with spaces: replace the tabs of this line

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_bracket_left_open() {
    check(
        "\
export:
  p: { type: test-power
",
        "\
error: this is not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
  --> lab.yaml:3:1
   = help: look at this line and those around it: indentation, a missing `:` or quote

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn two_documents() {
    check(
        "\
export: { p: { type: test-power } }
---
export: {}
",
        "\
error: a second document begins here, expected one
  --> lab.yaml:2:1
   2 | ---
     | ^^^
   = help: keep one document in a file: remove what follows this line

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn an_alias_of_nothing() {
    check(
        "\
export:
  p: *nothing
",
        "\
error: this is not valid YAML: while parsing node, found unknown anchor
  --> lab.yaml:2:6
   2 |   p: *nothing
     |      ^
   = help: an alias (`*name`) needs its anchor (`&name`) above it

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_secret_on_the_line() {
    check(
        "\
export: { p: { type: test-power } }
tokn: s3cr3t
",
        "\
error: unknown key `tokn`
  --> lab.yaml:2:1
   2 | tokn: ***
     | ^^^^
   = at:   tokn
   = help: did you mean `token`?

1 problem; nothing was opened, no board was touched
",
    );
}
