//! Wrong wiring: children, references and nodes.

use super::check;

#[test]
fn a_child_that_is_missing() {
    check(
        "\
export:
  s:
    type: test-flasher
    config: { board: x }
    children: { power: { type: test-power } }
",
        "\
error: the child `serial` of kind serial is missing (the board's console)
  --> lab.yaml:2:3
   2 |   s:
     |   ^
   = at:   export.s
   = help: give it below `children:`, either with its own `type:` or as `serial: { ref: path.to.node }`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_child_of_the_wrong_kind() {
    check(
        "\
export:
  s:
    type: test-flasher
    config: { board: x }
    children:
      power: { type: test-power }
      serial: { type: test-power }
",
        "\
error: the child `serial` must be of kind serial (the board's console), found power
  --> lab.yaml:7:7
   7 |       serial: { type: test-power }
     |       ^^^^^^
   = at:   export.s.serial
   = help: point `serial` at a node of kind serial; `flasher drivers` lists what each driver is

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_reference_of_the_wrong_kind() {
    check(
        "\
export:
  p: { type: test-power }
  s:
    type: test-flasher
    config: { board: x }
    children: { power: { ref: p }, serial: { ref: p } }
",
        "\
error: the child `serial` must be of kind serial (the board's console), found power
  --> lab.yaml:6:36
   6 |     children: { power: { ref: p }, serial: { ref: p } }
     |                                    ^^^^^^
   = at:   export.s.serial
   = help: point `serial` at a node of kind serial; `flasher drivers` lists what each driver is

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_child_nobody_asked_for() {
    check(
        "\
export:
  p:
    type: test-power
    children: { fan: { type: test-power } }
",
        "\
error: `test-power` takes no child `fan`
  --> lab.yaml:4:17
   4 |     children: { fan: { type: test-power } }
     |                 ^^^
   = at:   export.p.fan
   = help: `test-power` takes no children at all

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_reference_to_nothing() {
    check(
        "\
export:
  a: { ref: toaster }
  b: { type: test-power }
",
        "\
error: `ref: toaster` names nothing in `export`
  --> lab.yaml:2:13
   2 |   a: { ref: toaster }
     |             ^^^^^^^
   = at:   export.a.ref
   = help: `export` has: `b`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_reference_with_a_near_miss() {
    check(
        "\
export:
  a: { ref: board.pwoer }
  board: { children: { power: { type: test-power } } }
",
        "\
error: `ref: board.pwoer` names nothing in `export`
  --> lab.yaml:2:13
   2 |   a: { ref: board.pwoer }
     |             ^^^^^^^^^^^
   = at:   export.a.ref
   = help: did you mean `board.power`?

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_circle_of_two() {
    check(
        "\
export:
  a: { ref: b }
  b: { ref: a }
",
        "\
error: `ref` goes in a circle: a -> b -> a
  --> lab.yaml:3:13
   3 |   b: { ref: a }
     |             ^
   = at:   export.b.ref
   = help: point one of them at a node with a `type` of its own outside the circle

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_circle_of_one() {
    check(
        "\
export:
  a: { ref: a }
",
        "\
error: `ref` goes in a circle: a -> a
  --> lab.yaml:2:13
   2 |   a: { ref: a }
     |             ^
   = at:   export.a.ref
   = help: point one of them at a node with a `type` of its own outside the circle

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_child_that_refers_to_its_parent() {
    check(
        "\
export:
  s:
    type: test-flasher
    config: { board: x }
    children: { power: { ref: s }, serial: { type: test-serial, config: { url: x } } }
",
        "\
error: `ref` goes in a circle: s -> s.power -> s
  --> lab.yaml:5:31
   5 |     children: { power: { ref: s }, serial: { type: test-serial, config: { url: x } } }
     |                               ^
   = at:   export.s.power.ref
   = help: point one of them at a node with a `type` of its own outside the circle

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn an_export_without_nodes() {
    check(
        "\
export:
",
        "\
error: `export` has no nodes
  --> lab.yaml:1:1
   1 | export:
     | ^^^^^^
   = at:   export
   = help: `flasher drivers` shows what a node can be

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_list_of_nodes() {
    check(
        "\
export:
  - type: test-power
",
        "\
error: expected a mapping of nodes, found a list
  --> lab.yaml:2:3
   2 |   - type: test-power
     |   ^
   = at:   export

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_list_of_children() {
    check(
        "\
export:
  g:
    children: [power]
",
        "\
error: expected a mapping of nodes, found a list
  --> lab.yaml:3:15
   3 |     children: [power]
     |               ^
   = at:   export.g

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_config_that_is_a_list() {
    check(
        "\
export:
  p: { type: test-power, config: [1] }
",
        "\
error: expected a mapping, found a list
  --> lab.yaml:2:34
   2 |   p: { type: test-power, config: [1] }
     |                                  ^
   = at:   export.p.config
   = help: give lines of `key: value`, or leave it out

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_node_that_is_text() {
    check(
        "\
export:
  p: test-power
",
        "\
error: expected a node with `type`, `ref` or `children`, found the text `test-power`
  --> lab.yaml:2:6
   2 |   p: test-power
     |      ^^^^^^^^^^
   = at:   export.p
   = help: for example `{ type: serial, config: { url: /dev/ttyUSB0 } }`

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_node_with_type_and_ref() {
    check(
        "\
export:
  p: { type: test-power }
  q: { type: test-power, ref: p }
",
        "\
error: a node has `type` or `ref`, not both
  --> lab.yaml:3:3
   3 |   q: { type: test-power, ref: p }
     |   ^
   = at:   export.q
   = help: `type` makes a device of its own, `ref` names one made elsewhere

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_config_on_a_reference() {
    check(
        "\
export:
  p: { type: test-power }
  q:
    ref: p
    config: { pin: 4 }
",
        "\
error: a node with `ref` takes no `config`
  --> lab.yaml:5:5
   5 |     config: { pin: 4 }
     |     ^^^^^^
   = at:   export.q.config
   = help: set it at `p`, the node that `ref` names

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_config_without_a_type() {
    check(
        "\
export:
  q:
    config: { pin: 4 }
",
        "\
error: this node has `config` but no `type`
  --> lab.yaml:2:3
   2 |   q:
     |   ^
   = at:   export.q
   = help: add `type: …`; `flasher drivers` lists them

1 problem; nothing was opened, no board was touched
",
    );
}

#[test]
fn a_name_with_a_dot() {
    check(
        "\
export:
  board.power: { type: test-power }
",
        "\
error: a node cannot be called `board.power`: dots are for paths in `ref`
  --> lab.yaml:2:3
   2 |   board.power: { type: test-power }
     |   ^^^^^^^^^^^
   = at:   export.board.power
   = help: use letters, digits, `-` and `_`

1 problem; nothing was opened, no board was touched
",
    );
}
