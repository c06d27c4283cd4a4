//! Serial ports by URL: device paths, loop:// and socket://.
