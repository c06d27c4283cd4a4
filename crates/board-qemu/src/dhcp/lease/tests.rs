//! Conversations with clients, friendly and hostile.

use proptest::prelude::*;

use super::super::packet::option;
use super::*;

const U_BOOT: Mac = [0x52; 6];
const LINUX: Mac = [0x52, 0x54, 0, 1, 2, 3];
const BOARD: [u8; 4] = [10, 77, 0, 50];
const NEXT: [u8; 4] = [10, 77, 0, 51];
const SERVER: [u8; 4] = [10, 77, 0, 1];

fn leases() -> Leases {
    Leases::new(&BoardNetwork::default())
}

/// A client's packet: the kind of message, and more options.
fn packet(mac: Mac, kind: u8, more: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[..8].copy_from_slice(&[1, 1, 6, 0, 0xca, 0xfe, 0xf0, 0x0d]);
    bytes[10] = 0x80;
    bytes[28..34].copy_from_slice(&mac);
    bytes[236..].copy_from_slice(&[99, 130, 83, 99]);
    for (code, value) in [(53, &[kind][..])].iter().chain(more) {
        bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
        bytes.extend(*value);
    }
    bytes.push(255);
    bytes
}

/// Checks kind and address of the answer.
fn check(leases: &mut Leases, packet: &[u8], expected: Option<(u8, [u8; 4])>) {
    let answer = leases.answer(packet);
    let found =
        answer.map(|bytes| (option(&bytes[240..], 53).unwrap()[0], bytes[16..20].try_into().unwrap()));
    assert_eq!(found, expected, "{packet:?}");
}

#[test]
fn u_boot_and_linux_have_an_address_each_and_keep_it() {
    let mut leases = leases();
    for _ in 0..2 {
        check(&mut leases, &packet(U_BOOT, 1, &[]), Some((2, BOARD)));
        check(&mut leases, &packet(U_BOOT, 3, &[(50, &BOARD), (54, &SERVER)]), Some((5, BOARD)));
        check(&mut leases, &packet(LINUX, 1, &[(50, &BOARD)]), Some((2, NEXT)));
        check(&mut leases, &packet(LINUX, 3, &[(50, &NEXT), (54, &SERVER)]), Some((5, NEXT)));
    }
}

#[test]
fn a_renewal_is_granted_and_a_foreign_address_refused() {
    let mut renewal = packet(U_BOOT, 3, &[]);
    renewal[12..16].copy_from_slice(&BOARD);
    check(&mut leases(), &renewal, Some((5, BOARD)));
    renewal[12..16].copy_from_slice(&[192, 168, 1, 7]);
    check(&mut leases(), &renewal, Some((6, [0; 4])));
    check(&mut leases(), &packet(U_BOOT, 3, &[(50, &NEXT)]), Some((6, [0; 4])));
}

#[test]
fn packets_that_are_not_for_this_server_are_left_alone() {
    let edited = |at: usize, value: u8| {
        let mut bytes = packet(U_BOOT, 1, &[]);
        bytes[at] = value;
        bytes
    };
    let cases = [
        Vec::new(),
        packet(U_BOOT, 1, &[])[..239].to_vec(),
        packet(U_BOOT, 1, &[])[..240].to_vec(),
        packet(U_BOOT, 1, &[])[..241].to_vec(),
        packet(U_BOOT, 1, &[])[..242].to_vec(),
        packet(U_BOOT, 4, &[]),
        packet(U_BOOT, 7, &[]),
        packet(U_BOOT, 3, &[(50, &BOARD), (54, &[10, 77, 0, 9])]),
        edited(0, 2),
        edited(1, 6),
        edited(2, 16),
        edited(24, 10),
        edited(236, 0),
    ];
    for case in cases {
        check(&mut leases(), &case, None);
    }
}

#[test]
fn an_answer_has_every_option_the_client_needs() {
    let network = BoardNetwork { router: true, ..BoardNetwork::default() };
    let answer = Leases::new(&network).answer(&packet(U_BOOT, 1, &[])).unwrap();
    assert_eq!(answer[..12], [2, 1, 6, 0, 0xca, 0xfe, 0xf0, 0x0d, 0, 0, 0x80, 0]);
    assert_eq!((&answer[20..24], &answer[28..34]), (&SERVER[..], &U_BOOT[..]));
    let options: [(u8, &[u8]); 5] =
        [(53, &[2]), (54, &SERVER), (51, &DAY.to_be_bytes()), (1, &[255, 255, 255, 0]), (3, &SERVER)];
    for (code, value) in options {
        assert_eq!(option(&answer[240..], code), Some(value), "option {code}");
    }
    assert!(answer.len() >= 300, "shorter than a BOOTP message");
    let plain = leases().answer(&packet(U_BOOT, 1, &[])).unwrap();
    assert_eq!(option(&plain[240..], 3), None, "no router unless asked for");
}

#[test]
fn a_guest_that_changes_its_address_takes_the_oldest_lease() {
    let mut leases = leases();
    let mac = |last: u8| [2, 0, 0, 0, 0, last];
    for number in 0..16 {
        check(&mut leases, &packet(mac(number), 1, &[]), Some((2, [10, 77, 0, 50 + number])));
    }
    check(&mut leases, &packet(mac(0), 1, &[]), Some((2, BOARD)));
    check(&mut leases, &packet(mac(99), 1, &[]), Some((2, NEXT)));
}

#[test]
fn the_addresses_given_are_free_ones_of_the_subnet() {
    let check = |address: &str, board: &str, expected: &[&str]| {
        let address = address.to_owned().try_into().unwrap();
        let network = BoardNetwork { address, board: board.parse().unwrap(), ..BoardNetwork::default() };
        let found: Vec<_> =
            Leases::new(&network).addresses.iter().map(|(address, _)| address.to_string()).collect();
        assert_eq!(found, expected);
    };
    check("10.0.0.2/29", "10.0.0.1", &["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    check("255.255.255.1/24", "255.255.255.254", &["255.255.255.254"]);
}

proptest! {
    #[test]
    fn no_packet_brings_the_server_down(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 0..8)) {
        let mut leases = leases();
        for packet in packets {
            leases.answer(&packet);
        }
    }

    #[test]
    fn no_option_brings_the_server_down(mac in any::<Mac>(), kind in 1_u8..4, tail in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = packet(mac, kind, &[]);
        bytes.pop();
        bytes.extend(tail);
        if let Some(answer) = leases().answer(&bytes) {
            prop_assert!(answer.len() >= 300);
            prop_assert_eq!(&answer[28..34], &mac[..]);
        }
    }
}
