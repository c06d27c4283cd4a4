//! Root causes: the closed list of what makes a step of a job fail. Each has a name for receipts and `flasher explain`, and one sentence.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! root_causes {
    ($($variant:ident $code:literal $sentence:literal)*) => {
        /// What made a step fail. Receipts have its code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum RootCause {
            $(#[doc = $sentence] #[serde(rename = $code)] $variant,)*
        }

        impl RootCause {
            /// All of them, in the order of the manual.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name on receipts, in the manual and for `flasher explain`.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What is wrong, in one sentence without a full stop.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }
        }
    };
}

root_causes! {
    // Power and serial line.
    SwitchFailed "switch-failed" "the power switch did not do what it was asked"
    SwitchDisagrees "switch-disagrees" "the switch reports another state than it was given"
    PowerNotCut "power-not-cut" "the board goes on running while its power is to be off"
    LineMissing "line-missing" "the serial line cannot be opened"
    LineTaken "line-taken" "another program has the serial line"
    LineGone "line-gone" "the serial line went away"
    NothingHeard "nothing-heard" "the board prints nothing after its power was switched on"
    FellSilent "fell-silent" "the board stopped printing before its work was done"
    WrongSpeed "wrong-speed" "the serial line has another speed than the board"
    LineChangesCharacters "line-changes-characters" "the serial line changes or loses characters"
    // Boot loader.
    KeysNotTaken "keys-not-taken" "what is typed does not stop the boot loader's countdown"
    AutobootNotInterruptible "autoboot-not-interruptible" "the boot loader starts the system without a countdown"
    OtherPrompt "other-prompt" "the boot loader has another prompt than the one looked for"
    AlreadyRunning "already-running" "the board was past its boot loader before anything was typed"
    ResetLoop "reset-loop" "the board starts again and again"
    Watchdog "watchdog" "a watchdog resets the board"
    UnderVoltage "under-voltage" "the board's supply is too weak"
    UnknownCommand "unknown-command" "this U-Boot does not have the command"
    // Network.
    NoEthernet "no-ethernet" "U-Boot finds no Ethernet device"
    LinkDown "link-down" "the board's Ethernet link is down"
    DhcpSilent "dhcp-silent" "no DHCP server answers the board"
    AddressNotSet "address-not-set" "`ipaddr` or `serverip` is not set in U-Boot"
    OtherNetwork "other-network" "board and exporter are in different networks, and the board has no gateway"
    OtherServerAsked "other-server-asked" "the board asks another machine for its files"
    OtherServerAnswers "other-server-answers" "another server answers the board in the place of this one"
    OtherPort "other-port" "the board asks port 69, and the TFTP server has another port"
    ArpSilent "arp-silent" "nothing in the board's network answers for the exporter's address"
    RequestLost "request-lost" "the board's requests do not arrive, although its network is up"
    AnswerLost "answer-lost" "the board's request arrives, and the answer does not reach the board"
    TransferStopped "transfer-stopped" "the transfer began, and then nothing more arrived"
    PacketsLost "packets-lost" "the network loses many packets"
    FileNotFound "file-not-found" "the TFTP server has no such file"
    TftpRefused "tftp-refused" "the TFTP server refused the transfer"
    ServerSilent "server-silent" "the server does not answer the board"
    HttpUnreachable "http-unreachable" "the board reaches the TFTP server and not the HTTP server"
    TransferBroke "transfer-broke" "a transfer between the small Linux and this machine ended early"
    // Boot.
    LoadAddressRefused "load-address-refused" "the load address is in memory that U-Boot protects"
    BadKernelMagic "bad-kernel-magic" "the file at the kernel's address is not a kernel for this processor"
    BadRamdisk "bad-ramdisk" "the initial RAM disk has a wrong format"
    RamdiskOverlap "ramdisk-overlap" "the initial RAM disk overlaps the kernel"
    BadImage "bad-image" "the boot file is of a type that the boot command does not take"
    BadChecksum "bad-checksum" "a checksum in a boot file does not match"
    OutOfMemory "out-of-memory" "U-Boot has no memory for the boot file at that place"
    NoDeviceTree "no-device-tree" "the kernel was given no usable device tree"
    NoDecompressionSpace "no-decompression-space" "U-Boot has no place for unpacking the kernel"
    Resetting "resetting" "the board is resetting"
    KernelSilent "kernel-silent" "the kernel was started and prints nothing"
    KernelHangs "kernel-hangs" "the kernel prints, and no shell comes"
    KernelPanic "kernel-panic" "the kernel panicked"
    NoRootFileSystem "no-root-file-system" "the kernel finds no root file system"
    BootLoaderAgain "boot-loader-again" "the board fell back into its boot loader"
    BootReturned "boot-returned" "the boot command ended without starting a kernel"
    LoginRefused "login-refused" "the small Linux wants a login that is not configured, or refuses it"
    ToolMissing "tool-missing" "the small Linux lacks a tool that is needed"
    BoardOutOfMemory "board-out-of-memory" "the small Linux has no memory left"
    BoardStopped "board-stopped" "the board hangs, or its power is gone"
    // Medium.
    NoMedium "no-medium" "the medium is not there"
    NoPartition "no-partition" "no partition has the label, or several have it"
    PreflashFailed "preflash-failed" "a preflash command did not end with status 0"
    MuxFailed "mux-failed" "the storage mux did not do what it was asked"
    NoDisk "no-disk" "no disk of this machine has the medium's name"
    OtherDisk "other-disk" "the disk at hand is not the medium that is meant"
    MediumInUse "medium-in-use" "the medium is mounted, or another program uses it"
    MediumTooSmall "medium-too-small" "the medium is smaller than the image"
    WriteProtected "write-protected" "the medium is write-protected"
    MediumGone "medium-gone" "the medium went away in the middle of the work"
    MediumHangs "medium-hangs" "the medium does not answer any more"
    WriteError "write-error" "the medium refuses what is written"
    ReadError "read-error" "the medium cannot be read"
    Counterfeit "counterfeit" "the medium holds less than it says"
    WritesLost "writes-lost" "the medium does not keep what is written"
    // Image and new system.
    ImageMissing "image-missing" "the image is not there"
    ImageServerLost "image-server-lost" "the image's server does not answer, or its connection broke"
    ImageServerRefuses "image-server-refuses" "the image's server does not give the image"
    ImageServerUntrusted "image-server-untrusted" "no trusted TLS connection to the image's server can be made"
    ImageDamaged "image-damaged" "the image is not what it should be"
    ImageChanged "image-changed" "the image changed while it was used"
    ExpectedTextMissing "expected-text-missing" "the new system does not show the text that is expected of it"
    // This machine.
    PortTaken "port-taken" "another program has the port"
    PortForbidden "port-forbidden" "this user may not have the port"
    DiskFull "disk-full" "a disk of this machine is full"
    Unknown "unknown" "what was seen does not tell why"
}

impl fmt::Display for RootCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::RootCause;

    #[test]
    fn each_code_is_the_name_of_its_variant() {
        for cause in RootCause::ALL {
            let mut code = String::new();
            for letter in format!("{cause:?}").chars() {
                if letter.is_uppercase() && !code.is_empty() {
                    code.push('-');
                }
                code.push(letter.to_ascii_lowercase());
            }
            assert_eq!(cause.code(), code);
            assert_eq!(serde_json::to_value(cause).unwrap(), code);
        }
    }
}
