//! How many connections are open, in all and from each address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header;
use nova_core::{Reply, status};

/// Counts the connections of one place that limits them.
#[derive(Debug, Default)]
pub(crate) struct Counter(Mutex<Open>);

/// The counter of a value of limits. A clone is the limits of another place, and counts for itself.
#[derive(Debug, Default)]
pub struct Count(Arc<Counter>);

impl Clone for Count {
    fn clone(&self) -> Self {
        Count::default()
    }
}

/// The places that limit the connections of a route, each with its counter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Vec<(Most, Arc<Counter>)>);

/// How many connections there may be, in all and from one address.
type Most = (Option<usize>, Option<usize>);

impl Places {
    /// Adds one, if it limits anything.
    pub(crate) fn add(&mut self, most: Most, count: &Count) {
        if most != (None, None) {
            self.0.push((most, Arc::clone(&count.0)));
        }
    }

    /// Counts one connection more in each of them, until the permits are dropped.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Vec<Permit>, TooMany> {
        let places = self.0.iter();
        let permits = places.map(|(most, counter)| counter.admit(*most, address));
        permits.collect()
    }
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    /// No more entries than connections.
    by_address: HashMap<IpAddr, usize>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    InAll,
    FromThere,
}

impl TooMany {
    /// What the client is told.
    pub(crate) fn reply(self) -> Reply {
        let (code, told) = match self {
            TooMany::InAll => (503, "too many connections are open: try again later"),
            TooMany::FromThere => (429, "too many connections are open from your address"),
        };
        status(code).text(told).header(header::RETRY_AFTER, "10")
    }
}

/// One connection that is counted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    counter: Arc<Counter>,
    address: Option<IpAddr>,
}

impl Counter {
    pub(crate) fn admit(
        self: &Arc<Self>,
        (in_all, per_address): Most,
        address: Option<IpAddr>,
    ) -> Result<Permit, TooMany> {
        let address = address.map(network);
        let mut open = self.open();
        if in_all.is_some_and(|most| open.all >= most) {
            return Err(TooMany::InAll);
        }
        if let Some(address) = address {
            let from_there = open.by_address.entry(address).or_default();
            if per_address.is_some_and(|most| *from_there >= most) {
                return Err(TooMany::FromThere); // there is at least one, so the entry is no new one
            }
            *from_there += 1;
        }
        open.all += 1;
        Ok(Permit {
            counter: Arc::clone(self),
            address,
        })
    }

    /// A std mutex: a section is one look into the map.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.counter.open();
        open.all -= 1;
        if let Some(address) = self.address
            && let Entry::Occupied(mut entry) = open.by_address.entry(address)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        if open.all == 0 {
            open.by_address.shrink_to_fit();
        }
    }
}

/// What one client has: an address, or in IPv6 a network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() & (u128::MAX << 64)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_makes_room_and_leaves_nothing_behind() {
        let counter = Arc::new(Counter::default());
        let admit = |address: &str| counter.admit((Some(3), Some(2)), address.parse().ok());
        let (first, second) = (admit("1.2.3.4").unwrap(), admit("1.2.3.4").unwrap());
        assert_eq!(admit("::ffff:1.2.3.4").unwrap_err(), TooMany::FromThere);
        let third = admit("2001:db8::1").unwrap();
        assert_eq!(admit("5.6.7.8").unwrap_err(), TooMany::InAll);

        drop(first);
        let fourth = admit("2001:db8::2").unwrap();
        drop(second);
        assert_eq!(admit("2001:db8::3").unwrap_err(), TooMany::FromThere);

        drop((third, fourth));
        let open = counter.open();
        assert_eq!((open.all, open.by_address.len()), (0, 0));
    }
}
