//! The board's files.

use super::*;

/// What a U-Boot shows that asks our server and gets no answer.
const ASKS_US: &str = "TFTP from server 10.0.0.1; our IP address is 10.0.0.21\nFilename 'flasher-job-1/kernel'.\nLoading: T T T T T \nRetry count exceeded; starting again";
const ASKS_ANOTHER: &str = "TFTP from server 10.0.0.7; our IP address is 10.0.0.21\nFilename 'flasher-job-1/kernel'.\nLoading: T T T T T \nRetry count exceeded; starting again";

fn load(stated: RootCause, says: &str, port: u16) -> Observed {
    failed(Step::Bootloader, Some(stated)).says(says).served(port)
}

fn done(bytes: u64, resends: u64) -> TransferState {
    TransferState::Done { bytes, resends, seconds: 1.0, round_trip: None }
}

pub(super) fn stories() -> Vec<Story> {
    [loads(), answers(), of_linux()].concat()
}

fn loads() -> Vec<Story> {
    let begun = TransferState::Begun { length: Some(9000), options: String::new() };
    vec![
        Story {
            name: "an environment that sets `tftpserverip` again",
            class: Class::Infrastructure,
            observed: load(RootCause::ServerSilent, ASKS_ANOTHER, 69),
            cause: RootCause::OtherServerAsked,
            seen: &[
                "console: the board asked 10.0.0.7 for its file, and the server of this job is 10.0.0.1",
                "servers: no TFTP request arrived at 10.0.0.1:69",
            ],
            next: "does the environment of the boot loader set `serverip` or `tftpserverip` again",
        },
        Story {
            name: "dnsmasq on the same machine",
            class: Class::Infrastructure,
            observed: load(
                RootCause::FileNotFound,
                "TFTP from server 10.0.0.1; our IP address is 10.0.0.21",
                6969,
            ),
            cause: RootCause::OtherServerAnswers,
            seen: &[
                "console: a TFTP server answered with an error",
                "servers: no TFTP request arrived at 10.0.0.1:6969",
            ],
            next: "another TFTP server answered the board, not ours at 10.0.0.1:6969",
        },
        Story {
            name: "a `bootfile` of the DHCP server",
            class: Class::Infrastructure,
            observed: load(RootCause::FileNotFound, ASKS_US, 69).sent("tftp", "pxelinux.0", begun),
            cause: RootCause::FileNotFound,
            seen: &[
                "servers: 10.0.0.21 asked for `pxelinux.0`, which is no file of this job",
                "servers: no request for a boot file of this job arrived",
            ],
            next: "does the boot loader replace the name it is given",
        },
        Story {
            name: "a U-Boot without `tftpdstp`",
            class: Class::Infrastructure,
            observed: load(RootCause::ServerSilent, ASKS_US, 6969),
            cause: RootCause::OtherPort,
            seen: &["servers: no TFTP request arrived at 10.0.0.1:6969"],
            next: "the request never arrived at port 6969: a U-Boot without `tftpdstp`",
        },
        Story {
            name: "a board in the network of the office",
            class: Class::Infrastructure,
            observed: load(RootCause::ArpSilent, "ARP Retry count exceeded; starting again", 69)
                .at([192, 168, 7, 4], None),
            cause: RootCause::OtherNetwork,
            seen: &[
                "console: the board has 192.168.7.4 with the netmask 255.255.255.0 and no gateway",
                "servers: the server is at 10.0.0.1, outside of that network; no request arrived",
            ],
            next: "put board and exporter into one network",
        },
        Story {
            name: "the same with a gateway that leads nowhere",
            class: Class::Infrastructure,
            observed: load(RootCause::ArpSilent, "ARP Retry count exceeded; starting again", 69)
                .at([192, 168, 7, 4], Some(Ipv4Addr::new(192, 168, 7, 1))),
            cause: RootCause::ArpSilent,
            seen: &["servers: no request arrived at 10.0.0.1:69"],
            next: "",
        },
        Story {
            name: "a firewall between",
            class: Class::Infrastructure,
            observed: load(RootCause::ServerSilent, ASKS_US, 69),
            cause: RootCause::RequestLost,
            seen: &[
                "console: the board asked 10.0.0.1 and waited 5 times in vain",
                "servers: no TFTP request arrived at 10.0.0.1:69",
            ],
            next: "the request never arrived: is the board in the network of 10.0.0.1",
        },
    ]
}

fn answers() -> Vec<Story> {
    let failed_after =
        |bytes| TransferState::Failed { bytes, reason: "no acknowledgement for 30 s".to_owned() };
    vec![
        Story {
            name: "a firewall that lets only port 69 out",
            class: Class::Infrastructure,
            observed: load(RootCause::ServerSilent, ASKS_US, 69).sent("tftp", "flasher-job-1/kernel", failed_after(0)),
            cause: RootCause::AnswerLost,
            seen: &[
                "servers: a tftp request of 10.0.0.21 arrived and ended after 0 bytes: no acknowledgement for 30 s",
                "console: the board did not get the answer",
            ],
            next: "answers come from another UDP port than 69",
        },
        Story {
            name: "a network interface that takes no more after its buffers were full",
            class: Class::Infrastructure,
            observed: load(RootCause::TransferStopped, "TFTP from server 10.0.0.1; our IP address is 10.0.0.21", 69)
                .sent("tftp", "flasher-job-1/kernel", failed_after(93_952)),
            cause: RootCause::TransferStopped,
            seen: &[
                "servers: a tftp request of 10.0.0.21 arrived and ended after 93952 bytes: no acknowledgement for 30 s",
                "console: the board asked 10.0.0.1 by TFTP",
            ],
            next: "try another cable or port of the switch; `tftp_window_size: 1`",
        },
        Story {
            name: "a bad cable",
            class: Class::Infrastructure,
            observed: load(RootCause::ServerSilent, ASKS_US, 69)
                .sent("tftp", "flasher-job-1/kernel", done(1_468_000, 400))
                .sent("tftp", "flasher-job-1/initramfs", failed_after(0)),
            cause: RootCause::PacketsLost,
            seen: &["servers: 400 packets of `flasher-job-1/kernel` had to be sent again"],
            next: "try another cable or port of the switch",
        },
        Story {
            name: "no DHCP server",
            class: Class::Infrastructure,
            observed: failed(Step::Bootloader, Some(RootCause::DhcpSilent))
                .says("BOOTP broadcast 1\nBOOTP broadcast 2\nBOOTP broadcast 3\nRetry time exceeded; starting again"),
            cause: RootCause::DhcpSilent,
            seen: &["console: the board asked 3 times by DHCP for an address"],
            next: "",
        },
        Story {
            name: "memory that changes what is loaded into it",
            class: Class::Board,
            observed: failed(Step::Shell, Some(RootCause::BadChecksum))
                .served(69)
                .sent("tftp", "flasher-job-1/kernel", done(1_468_000, 0)),
            cause: RootCause::BadChecksum,
            seen: &["servers: a tftp request of 10.0.0.21 was served whole: 1468000 bytes, 0 packets sent again"],
            next: "",
        },
    ]
}

fn of_linux() -> Vec<Story> {
    let unreachable = "Starting kernel ...\nwget: can't connect to remote host (10.0.0.1): No route to host";
    vec![
        Story {
            name: "a firewall that lets TFTP in and not HTTP",
            class: Class::Infrastructure,
            observed: failed(Step::Shell, Some(RootCause::HttpUnreachable))
                .says(unreachable)
                .served(69)
                .sent("tftp", "flasher-job-1/kernel", done(1_468_000, 0)),
            cause: RootCause::HttpUnreachable,
            seen: &[
                "console: `wget: can't connect to remote host (10.0.0.1): No route to host`",
                "servers: the boot files went out by TFTP, and no request arrived at http://10.0.0.1:8080",
            ],
            next: "",
        },
        Story {
            name: "a cable that is pulled while the image is written",
            class: Class::Infrastructure,
            observed: failed(Step::Write, Some(RootCause::TransferBroke))
                .says("Starting kernel ...\n[ 3.0] eth0: Link is Up - 1Gbps/Full\n[ 9.0] eth0: Link is Down")
                .served(69)
                .sent(
                    "http",
                    "1/frames",
                    TransferState::Failed { bytes: 70_000, reason: "no answer".to_owned() },
                ),
            cause: RootCause::LinkDown,
            seen: &[
                "console: the kernel's last word on the Ethernet link is that it is down",
                "servers: a http request of 10.0.0.21 arrived and ended after 70000 bytes: no answer",
            ],
            next: "is the board's network cable in",
        },
        Story {
            name: "a deadline that passes while the image's server is silent",
            class: Class::Infrastructure,
            observed: failed(Step::Write, None)
                .source("transfer of image `http://h/os.img` got no byte for 30 s", 12.0),
            cause: RootCause::ImageServerLost,
            seen: &["servers: 12 s before: transfer of image `http://h/os.img` got no byte for 30 s"],
            next: "check the network to the image's server",
        },
        Story {
            name: "an image's server that failed long before",
            class: Class::Infrastructure,
            observed: failed(Step::Write, None)
                .source("transfer of image `http://h/os.img` got no byte for 30 s", 300.0),
            cause: RootCause::Unknown,
            seen: &["power: switched on, and the switch reports that it is"],
            next: "",
        },
    ]
}
