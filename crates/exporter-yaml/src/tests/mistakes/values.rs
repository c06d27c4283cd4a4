//! Wrong words: drivers, keys and values.

use super::check;

#[test]
fn an_unknown_driver_that_resembles_nothing() {
    check(
        "\
export:
  p: { type: toaster }
",
        "\
error: unknown driver `toaster`
  --> lab.yaml:2:14
   2 |   p: { type: toaster }
     |              ^^^^^^^
   = at:   export.p.type
   = help: this build has: `test-files`, `test-flasher`, `test-power`, `test-serial`, `test-sim`, `test-board`, `composite`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn an_unknown_driver_with_a_near_miss() {
    check(
        "\
export:
  p: { type: test-pwoer }
",
        "\
error: unknown driver `test-pwoer`
  --> lab.yaml:2:14
   2 |   p: { type: test-pwoer }
     |              ^^^^^^^^^^
   = at:   export.p.type
   = help: did you mean `test-power`? `flasher drivers` lists all

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn the_config_of_a_python_driver_is_a_mapping() {
    check(
        "\
export:
  c: { type: jumpstarter_driver_ustreamer.driver.UStreamer, config: [1] }
",
        "\
error: expected a mapping, found a list
  --> lab.yaml:2:69
   2 |   c: { type: jumpstarter_driver_ustreamer.driver.UStreamer, config: [1] }
     |                                                                     ^
   = at:   export.c.config
   = help: give lines of `key: value`, or leave it out

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_python_driver_misspelt() {
    check(
        "\
export:
  c: { type: lab.serial.Drivr }
",
        "\
error: unknown driver `lab.serial.Drivr`
  --> lab.yaml:2:14
   2 |   c: { type: lab.serial.Drivr }
     |              ^^^^^^^^^^^^^^^^
   = at:   export.c.type
   = help: did you mean `lab.serial.Driver`? `flasher drivers` lists all

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_misspelt_key_at_the_top() {
    check(
        "\
exports:
  p: { type: test-power }
",
        "\
error: unknown key `exports`
  --> lab.yaml:1:1
   1 | exports:
     | ^^^^^^^
   = at:   exports
   = help: did you mean `export`?

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_key_nobody_knows_at_the_top() {
    check(
        "\
export: { p: { type: test-power } }
bananas: 1
",
        "\
error: unknown key `bananas`
  --> lab.yaml:2:1
   2 | bananas: 1
     | ^^^^^^^
   = at:   bananas
   = help: accepted here: `apiVersion`, `kind`, `metadata`, `endpoint`, `tls`, `token`, `grpcOptions`, `grpcConfig`, `description`, `motd`, `python`, `ledger`, `export`, `hooks`, `failureDetection`, `exitOnLeaseEnd`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_misspelt_key_of_a_node() {
    check(
        "\
export:
  p: { tpye: test-power }
",
        "\
error: unknown key `tpye`
  --> lab.yaml:2:8
   2 |   p: { tpye: test-power }
     |        ^^^^
   = at:   export.p.tpye
   = help: did you mean `type`?

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_misspelt_key_of_a_config() {
    check(
        "\
export:
  l:
    type: test-serial
    config: { url: x, baudrat: 9600 }
",
        "\
error: unknown key `baudrat`
  --> lab.yaml:4:23
   4 |     config: { url: x, baudrat: 9600 }
     |                       ^^^^^^^
   = at:   export.l.config.baudrat
   = help: did you mean `baudrate`?

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_key_where_none_is_accepted() {
    check(
        "\
export:
  p: { type: test-power, config: { pin: 4 } }
",
        "\
error: unknown key `pin`
  --> lab.yaml:2:36
   2 |   p: { type: test-power, config: { pin: 4 } }
     |                                    ^^^
   = at:   export.p.config.pin
   = help: no keys are accepted here: remove it

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_value_of_the_wrong_type() {
    check(
        "\
export:
  l:
    type: test-serial
    config:
      url: /dev/ttyUSB0
      baudrate: fast
",
        "\
error: expected a whole number from 0 to 4294967295, found the text `fast`
  --> lab.yaml:6:17
   6 |       baudrate: fast
     |                 ^^^^
   = at:   export.l.config.baudrate

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_required_key_that_is_missing() {
    check(
        "\
export:
  l: { type: test-serial }
",
        "\
error: the key `url` is missing
  --> lab.yaml:2:3
   2 |   l: { type: test-serial }
     |   ^
   = at:   export.l.config
   = help: add `url: …`: Where the line is.

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_config_value_that_makes_no_sense() {
    check(
        "\
export:
  l:
    type: test-serial
    config: { url: '' }
",
        "\
error: `url` is empty
  --> lab.yaml:4:20
   4 |     config: { url: '' }
     |                    ^^^
   = at:   export.l.config.url
   = help: name a port

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_reference_to_nothing_inside_a_driver() {
    check(
        "\
export:
  a: { ref: sim.fan }
  sim: { type: test-sim }
",
        "\
error: `ref: sim.fan` names nothing in `export`
  --> lab.yaml:2:13
   2 |   a: { ref: sim.fan }
     |             ^^^^^^^
   = at:   export.a.ref
   = help: `export` has: `sim`, `sim.power`, `sim.serial`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_key_given_twice() {
    check(
        "\
export:
  p: { type: test-power }
  p: { type: test-power }
",
        "\
error: the key `p` is given twice in the same mapping
  --> lab.yaml:3:3
   3 |   p: { type: test-power }
     |   ^
   = at:   export.p
   = help: keep one of them

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_type_that_is_a_number() {
    check(
        "\
export:
  p: { type: 4 }
",
        "\
error: expected text, found the number `4`
  --> lab.yaml:2:14
   2 |   p: { type: 4 }
     |              ^
   = at:   export.p.type

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_merge_key_without_a_mapping() {
    check(
        "\
export:
  p:
    <<: 4
    type: test-power
",
        "\
error: `<<` cannot be merged: expected a mapping or a list of mappings, found the number `4`
  --> lab.yaml:3:5
   3 |     <<: 4
     |     ^^
   = at:   export.p
   = help: give it an alias of a mapping: `<<: *name`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn words_for_people_that_are_none() {
    check(
        "\
export:
  p: { type: test-power, description: [a], methods_description: { on: 1 } }
",
        "\
error: expected text, found a list
  --> lab.yaml:2:39
   2 |   p: { type: test-power, description: [a], methods_description: { on: 1 } }
     |                                       ^
   = at:   export.p.description

error: expected text, found the number `1`
  --> lab.yaml:2:71
   2 |   p: { type: test-power, description: [a], methods_description: { on: 1 } }
     |                                                                       ^
   = at:   export.p.methods_description.on

2 problems; nothing was opened, no board was touched
",
    );
}
