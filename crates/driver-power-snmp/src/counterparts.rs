//! Python classes of Jumpstarter whose work a PDU does.

use flasher_core::registry::Counterpart;

pub(crate) const COUNTERPARTS: &[Counterpart] = &[Counterpart {
    class: "jumpstarter_driver_snmp.driver.SNMPServer",
    lines: r#"type: power-snmp
config:
  host: "{host|pdu.lab.example}"
  port: {port|161}
  oid: "{oid|1.3.6.1.4.1.13742.6.4.1.2.1.2.1}.{plug|1}"
  on: 1
  off: 0
  community_file: ./community   # one line, a community that may write
"#,
    note: "this is SNMP 2c, which the PDU has to allow; Jumpstarter's driver speaks version 3",
}];
