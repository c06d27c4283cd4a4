//! Read-only TFTP server a boot loader fetches from.
