//! Addresses in the forms that limits count and devices see.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use serde::Serialize;
use utoipa::ToSchema;

/// The network that limits count a request by. For IPv4 it is the address. For IPv6 it is the /64,
/// which is one household, or a wider network around it. A device sees only the coarser [`Area`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    width: NetworkWidth,
}

/// The size of a network. A provider gives one customer a /64, a /56 or a /48 of IPv6, so limits
/// count each of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkWidth {
    /// One IPv4 address, or a /64 of IPv6.
    Narrowest,
    /// A /56 of IPv6.
    Site,
    /// A /48 of IPv6.
    Organization,
}

impl NetworkWidth {
    /// Every width, narrowest first.
    pub const ALL: [Self; 3] = [Self::Narrowest, Self::Site, Self::Organization];

    fn length(self) -> u32 {
        match self {
            Self::Narrowest => 64,
            Self::Site => 56,
            Self::Organization => 48,
        }
    }

    /// The limit of a network of this width, as a multiple of the narrowest network's limit.
    pub fn factor(self) -> u32 {
        match self {
            Self::Narrowest => 1,
            Self::Site => 3,
            Self::Organization => 10,
        }
    }
}

impl Network {
    /// The narrowest network around an address.
    pub fn of(address: IpAddr) -> Self {
        Self {
            address: address.to_canonical(),
            width: NetworkWidth::Narrowest,
        }
        .widened(NetworkWidth::Narrowest)
    }

    /// The network of this width around this one. An IPv4 address stays as it is.
    fn widened(self, width: NetworkWidth) -> Self {
        match self.address {
            IpAddr::V6(v6) => {
                let host = 128 - width.length();
                Self {
                    address: IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> host << host)),
                    width,
                }
            }
            IpAddr::V4(_) => self,
        }
    }

    /// This network and the wider ones around it. Limits count a request in each of them.
    pub fn and_wider(self) -> impl Iterator<Item = Self> {
        let widths = if self.address.is_ipv4() {
            &NetworkWidth::ALL[..1]
        } else {
            &NetworkWidth::ALL[..]
        };
        widths.iter().map(move |width| self.widened(*width))
    }

    /// The widest network around this one. Shares of the machine's capacity are counted by it.
    /// Otherwise one customer with many networks would get many shares.
    pub fn widest(self) -> Self {
        self.widened(NetworkWidth::Organization)
    }

    /// The first and the last of the narrowest networks in this one, as texts that sort like the
    /// addresses. An IPv4 address stays as it is. A /64 of IPv6 becomes its 64 bits in hexadecimal
    /// digits. The store keeps sessions under these texts.
    pub fn in_order(self) -> (String, String) {
        match self.address {
            IpAddr::V4(v4) => (v4.to_string(), v4.to_string()),
            IpAddr::V6(v6) => {
                let first = (v6.to_bits() >> 64) as u64;
                let hosts = NetworkWidth::Narrowest.length() - self.width.length();
                let last = first | ((1 << hosts) - 1);
                (format!("{first:016x}"), format!("{last:016x}"))
            }
        }
    }

    /// The first address of the network.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The width of the network.
    pub fn width(self) -> NetworkWidth {
        self.width
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/{}", self.width.length()),
        }
    }
}

/// The area that a device comes from, as coarse as other devices of the session see it: the /24 of
/// an IPv4 address, or the /48 of an IPv6 address.
///
/// An area is one number, so that every request can note it in memory. The lower 48 bits are the
/// address. The bit above them is set for IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area(u64);

impl Area {
    const V6: u64 = 1 << 48;
    const LENGTHS: [u32; 2] = [24, 48];

    /// The area around an address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits() >> 8)),
            // The first 48 bits of an address fit into a u64.
            IpAddr::V6(v6) => Self(Self::V6 | (v6.to_bits() >> 80) as u64),
        }
    }

    /// The area of a number that [`Area::to_bits`] returned.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The area as a number.
    pub fn to_bits(self) -> u64 {
        self.0
    }

    fn is_v6(self) -> bool {
        self.0 & Self::V6 != 0
    }

    /// The first address of the area.
    pub fn address(self) -> IpAddr {
        match self.is_v6() {
            true => Ipv6Addr::from_bits(u128::from(self.0 ^ Self::V6) << 80).into(),
            false => Ipv4Addr::from_bits((self.0 << 8) as u32).into(),
        }
    }
}

/// Writes the area in CIDR notation.
impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}",
            self.address(),
            Self::LENGTHS[usize::from(self.is_v6())]
        )
    }
}

impl Serialize for Area {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The networks that a client came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClientAddress {
    /// The network that the client joined the session from.
    #[schema(value_type = String, example = "203.0.113.0/24")]
    pub first: Area,
    /// The network that the client was last used from.
    #[schema(value_type = String, example = "2001:db8:1::/48")]
    pub last: Area,
}

/// The family of an address. The notice of a new device tells nothing else about its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub enum AddressFamily {
    /// IPv4, even if it is mapped into IPv6.
    IPv4,
    /// IPv6.
    IPv6,
}

impl AddressFamily {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() {
            Self::IPv4
        } else {
            Self::IPv6
        }
    }

    /// The family's name, `IPv4` or `IPv6`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_shown_by_its_first_address_and_its_length() {
        for (address, area) in [
            ("203.0.113.7", "203.0.113.0/24"),
            ("255.255.255.255", "255.255.255.0/24"),
            ("0.0.0.1", "0.0.0.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.0/24"),
            ("2001:db8:1:2345::1", "2001:db8:1::/48"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ffff:ffff:ffff::/48",
            ),
            ("::1", "::/48"),
        ] {
            let found = Area::of(address.parse().unwrap());
            assert_eq!(found.to_string(), area, "{address}");
            assert_eq!(
                (Area::from_bits(found.to_bits()), Area::of(found.address())),
                (found, found),
                "{address}"
            );
        }
    }

    #[test]
    fn ipv6_is_counted_by_its_slash_64() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:1.2.3.4"), network("1.2.3.4"));
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn ipv6_is_counted_by_wider_networks_too() {
        let wider = |text: &str| -> Vec<_> {
            Network::of(text.parse().unwrap())
                .and_wider()
                .map(|network| network.to_string())
                .collect()
        };
        let of_v6 = [
            "2001:db8:1:2345::/64",
            "2001:db8:1:2300::/56",
            "2001:db8:1::/48",
        ];
        assert_eq!(wider("2001:db8:1:2345::1"), of_v6);
        assert_eq!(wider("192.0.2.1"), ["192.0.2.1"]);
        let in_order = |text: &str| -> Vec<_> {
            Network::of(text.parse().unwrap())
                .and_wider()
                .map(Network::in_order)
                .collect()
        };
        let range = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        let of_v6 = [
            range("20010db800012345", "20010db800012345"),
            range("20010db800012300", "20010db8000123ff"),
            range("20010db800010000", "20010db80001ffff"),
        ];
        assert_eq!(in_order("2001:db8:1:2345::1"), of_v6);
        assert_eq!(in_order("192.0.2.1"), [range("192.0.2.1", "192.0.2.1")]);
        let widest = |text: &str| Network::of(text.parse().unwrap()).widest().to_string();
        assert_eq!(
            (widest("2001:db8:1:2345::1"), widest("192.0.2.1")),
            ("2001:db8:1::/48".into(), "192.0.2.1".into())
        );
    }
}
