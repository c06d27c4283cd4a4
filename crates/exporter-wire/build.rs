//! Compiles the protocol without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["jumpstarter/v1/exporter.proto", "jumpstarter/v1/router.proto"], ["proto"])?;
    tonic_prost_build::configure().bytes(".jumpstarter.v1").compile_fds(files)?;
    Ok(())
}
