//! Which network stack a U-Boot was built with.

use schemars::JsonSchema;
use serde::Deserialize;

/// U-Boot's network stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkStack {
    /// U-Boot's own.
    #[default]
    Legacy,
    /// lwIP (CONFIG_NET_LWIP, since 2024.10): `tftpserverip` goes before `serverip`; the port and the window of the
    /// environment are ignored.
    Lwip,
}
