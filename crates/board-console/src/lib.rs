//! Expect engine, U-Boot dialogue and Linux-shell dialogue over any byte stream.
