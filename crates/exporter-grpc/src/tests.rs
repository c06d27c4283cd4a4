//! The exporter from outside, over real sockets.

mod lab;
