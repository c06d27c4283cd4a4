//! Compiles the protocol without `protoc`.

/// The files of the protocol.
const PROTOCOL: [&str; 4] = [
    "jumpstarter/v1/exporter.proto",
    "jumpstarter/v1/jumpstarter.proto",
    "jumpstarter/v1/router.proto",
    "jumpstarter/client/v1/client.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(PROTOCOL, ["proto"])?;
    tonic_prost_build::configure().bytes(".jumpstarter.v1").compile_fds(files)?;
    Ok(())
}
