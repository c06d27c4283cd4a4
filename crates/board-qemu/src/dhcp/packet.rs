//! DHCP messages on the wire: RFC 2131 figure 1, options of RFC 2132.

use std::net::Ipv4Addr;

/// Bytes before the options: the BOOTP fields and the magic cookie.
const HEADER: usize = 240;
/// The least a BOOTP message has (RFC 951 §3: 300 bytes).
const LEAST: usize = 300;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const ETHERNET: u8 = 1;

const SUBNET_MASK: u8 = 1;
const ROUTER: u8 = 3;
const REQUESTED_ADDRESS: u8 = 50;
const LEASE_TIME: u8 = 51;
const MESSAGE_TYPE: u8 = 53;
const SERVER_ID: u8 = 54;
const PAD: u8 = 0;
const END: u8 = 255;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// What a client asks (RFC 2132 §9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DhcpRequest {
    /// Who has an address for me?
    Discover,
    /// I take, or keep, this one.
    Request,
}

/// What the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DhcpReply {
    Offer = 2,
    Ack = 5,
    Nak = 6,
}

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) ask: DhcpRequest,
    pub(super) mac: Mac,
    pub(super) transaction: [u8; 4],
    pub(super) flags: [u8; 2],
    /// `ciaddr`: the address the client has already.
    pub(super) current: Ipv4Addr,
    /// Option 50.
    pub(super) requested: Option<Ipv4Addr>,
    /// Option 54: which server's offer is taken.
    pub(super) server: Option<Ipv4Addr>,
}

impl Query {
    /// Reads a message; `None` when it is not one for us. Nothing in it is trusted.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let relayed = field::<4>(header, 24)? != [0; 4];
        if header[..3] != [REQUEST, ETHERNET, 6] || header[236..] != COOKIE || relayed {
            return None;
        }
        let options = &bytes[HEADER..];
        let ask = match option(options, MESSAGE_TYPE)? {
            [1] => DhcpRequest::Discover,
            [3] => DhcpRequest::Request,
            _ => return None,
        };
        Some(Self {
            ask,
            mac: field(header, 28)?,
            transaction: field(header, 4)?,
            flags: field(header, 10)?,
            current: Ipv4Addr::from(field::<4>(header, 12)?),
            requested: option(options, REQUESTED_ADDRESS).and_then(address),
            server: option(options, SERVER_ID).and_then(address),
        })
    }
}

/// The terms of a lease, the same for every client.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTerms {
    pub(super) server: Ipv4Addr,
    pub(super) mask: Ipv4Addr,
    pub(super) router: Option<Ipv4Addr>,
    /// Seconds.
    pub(super) time: u32,
}

/// The server's message; a refusal has no `address`.
pub(super) fn reply(query: &Query, say: DhcpReply, address: Option<Ipv4Addr>, terms: &LeaseTerms) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..3].copy_from_slice(&[REPLY, ETHERNET, 6]);
    bytes[4..8].copy_from_slice(&query.transaction);
    bytes[10..12].copy_from_slice(&query.flags);
    bytes[28..34].copy_from_slice(&query.mac);
    bytes[236..].copy_from_slice(&COOKIE);
    push(&mut bytes, MESSAGE_TYPE, &[say as u8]);
    push(&mut bytes, SERVER_ID, &terms.server.octets());
    if let Some(address) = address {
        bytes[12..16].copy_from_slice(&query.current.octets());
        bytes[16..20].copy_from_slice(&address.octets());
        // U-Boot takes its `serverip` from here.
        bytes[20..24].copy_from_slice(&terms.server.octets());
        push(&mut bytes, LEASE_TIME, &terms.time.to_be_bytes());
        push(&mut bytes, SUBNET_MASK, &terms.mask.octets());
        if let Some(router) = terms.router {
            push(&mut bytes, ROUTER, &router.octets());
        }
    }
    bytes.push(END);
    bytes.resize(bytes.len().max(LEAST), PAD);
    bytes
}

fn push(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    // All our values have four bytes at most.
    bytes.extend([code, value.len() as u8]);
    bytes.extend(value);
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn address(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// The value of the first option `wanted`.
pub(super) fn option(mut options: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        match options {
            [] | [END, ..] => return None,
            [PAD, rest @ ..] => options = rest,
            [code, length, rest @ ..] => {
                let (value, rest) = rest.split_at_checked(usize::from(*length))?;
                if *code == wanted {
                    return Some(value);
                }
                options = rest;
            }
            [_] => return None,
        }
    }
}
