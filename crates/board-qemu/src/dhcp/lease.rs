//! Which client has which address, and the lease it gets.

use std::net::Ipv4Addr;

use crate::config::BoardNetwork;

use super::packet::{DhcpReply, DhcpRequest, LeaseTerms, Mac, Query, reply};

/// Addresses to give: U-Boot and Linux have one each; the rest is for guests that change theirs.
const ADDRESSES: usize = 16;
/// Seconds a lease lasts: longer than any flash.
const DAY: u32 = 24 * 60 * 60;

/// The addresses of one tap.
#[derive(Debug)]
pub(super) struct Leases {
    terms: LeaseTerms,
    /// The addresses with their holders, first the free ones, then the one used longest ago.
    addresses: Vec<(Ipv4Addr, Option<Mac>)>,
}

impl Leases {
    pub(super) fn new(network: &BoardNetwork) -> Self {
        let server = network.address.address;
        let first = network.board.to_bits();
        let free = (first..=u32::MAX).take(ADDRESSES * 2).map(Ipv4Addr::from_bits);
        let addresses = free.filter(|&one| network.address.holds(one)).take(ADDRESSES);
        Self {
            terms: LeaseTerms {
                server,
                mask: network.address.mask(),
                router: network.router.then_some(server),
                time: DAY,
            },
            addresses: addresses.map(|address| (address, None)).collect(),
        }
    }

    /// The answer to a packet; none when it is not for this server.
    pub(super) fn answer(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let query = Query::parse(packet)?;
        if query.server.is_some_and(|server| server != self.terms.server) {
            return None;
        }
        let address = self.address(query.mac)?;
        let wanted = query.requested.or(Some(query.current).filter(|current| !current.is_unspecified()));
        let (say, address) = match query.ask {
            DhcpRequest::Discover => (DhcpReply::Offer, Some(address)),
            DhcpRequest::Request if wanted.is_none_or(|wanted| wanted == address) => {
                (DhcpReply::Ack, Some(address))
            }
            DhcpRequest::Request => (DhcpReply::Nak, None),
        };
        Some(reply(&query, say, address, &self.terms))
    }

    /// The address of `mac`: the one it has, a free one, or the one that was used longest ago.
    fn address(&mut self, mac: Mac) -> Option<Ipv4Addr> {
        let of = |holder| self.addresses.iter().position(|(_, other)| *other == holder);
        let place = of(Some(mac)).or_else(|| of(None)).unwrap_or(0);
        if place >= self.addresses.len() {
            return None;
        }
        let (address, _) = self.addresses.remove(place);
        self.addresses.push((address, Some(mac)));
        Some(address)
    }
}

#[cfg(test)]
mod tests;
