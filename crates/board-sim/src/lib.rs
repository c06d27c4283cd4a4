//! A simulated board: power and serial drivers over a scripted U-Boot and the host's own shell.
