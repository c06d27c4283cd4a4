//! BaseFlasher: the flash transaction, one file per step.
