//! The contract: capability traits, driver registry, exporter YAML to device tree, errors, events.
