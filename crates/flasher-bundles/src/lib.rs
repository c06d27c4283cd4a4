//! The room where everything meets: every driver and every board of this build.
