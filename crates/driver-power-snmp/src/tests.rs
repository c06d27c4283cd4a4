//! Debian's snmpd as a PDU, its outlet a small script; and every sentence an error has.

mod errors;
mod snmpd;

use std::path::Path;
use std::sync::Arc;

use exporter_yaml::Document;
use flasher_core::{Device, PowerDriver, Result, testing};

use snmpd::Snmpd;

fn device(config: &str) -> Result<Device> {
    let yaml = format!("export:\n  power: {{ type: power-snmp, config: {{ {config} }} }}\n");
    exporter_yaml::build(&Document::parse("lab.yaml", Path::new("/lab"), &yaml)?)?.find("power")
}

fn switch(config: &str) -> Arc<dyn PowerDriver> {
    let Device::Power(switch, None) = device(config).unwrap() else { panic!("no switch") };
    switch
}

async fn refusal(config: &str) -> (String, bool) {
    let error = switch(config).on().await.unwrap_err();
    assert_eq!(testing::errors(&error), [""; 0]);
    (error.to_string(), error.is_retryable())
}

#[tokio::test]
async fn an_outlet_of_a_real_agent_keeps_the_promises() {
    let Some(pdu) = Snmpd::start().await else { return };
    for version in ["1", "2c"] {
        let config =
            format!("preset: apc, outlet: 3, host: 127.0.0.1, port: {}, version: '{version}'", pdu.port());
        switch(&config).on().await.unwrap();
        assert_eq!(pdu.outlet(3), "1", "{version}");
        assert_eq!(testing::power(&|| device(&config).unwrap()).await, [""; 0], "{version}");
    }
}

#[tokio::test]
async fn objects_of_ones_own_have_values_of_their_own() {
    let Some(pdu) = Snmpd::start().await else { return };
    let config = format!(
        "oid: .1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.5, on: 2, off: 1, host: localhost, port: {}",
        pdu.port()
    );
    let power = switch(&config);
    power.off().await.unwrap();
    assert_eq!((pdu.outlet(5).as_str(), power.state().await.unwrap()), ("1", Some(false)));
    power.on().await.unwrap();
    assert_eq!((pdu.outlet(5).as_str(), power.state().await.unwrap()), ("2", Some(true)));
}

#[tokio::test]
async fn an_agent_that_refuses_or_is_silent_is_told_apart() {
    let Some(pdu) = Snmpd::start().await else { return };
    let at = |more: &str| {
        format!("preset: apc, host: 127.0.0.1, port: {}, timeout_seconds: 3, {more}", pdu.port())
    };
    let name = format!("127.0.0.1:{}", pdu.port());
    assert_eq!(
        refusal(&at("outlet: 99")).await,
        (format!("the PDU `{name}` refuses to set the outlet: notWritable"), false)
    );
    assert_eq!(
        refusal(&at("outlet: 3, community: public")).await,
        (format!("the PDU `{name}` refuses to set the outlet: noAccess"), false)
    );
    let silent = at("outlet: 3, community: wrong").replace("timeout_seconds: 3", "timeout_seconds: 0.3");
    assert_eq!(refusal(&silent).await, (format!("the PDU `{name}` did not answer within 0.3 s"), true));
    let unclear = at("outlet: 3, status_on: 7, status_off: 8");
    assert_eq!(
        refusal(&unclear).await,
        (format!("the PDU `{name}` reports the state 1, expected 7 for on or 8 for off"), false)
    );
    let lies = at("outlet: 3, status_on: 2, status_off: 1, confirm_seconds: 0.3");
    assert_eq!(
        refusal(&lies).await,
        ("power was switched `on`, but after 0.3 s the switch still reports `off`".to_owned(), true)
    );
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_told_at_once() {
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!("preset: raritan, outlet: 1, host: 127.0.0.1, port: {free}");
    assert_eq!(
        refusal(&config).await,
        (format!("the PDU `127.0.0.1:{free}` cannot be reached: no program listens on its port"), true)
    );
}

#[tokio::test]
async fn an_answer_that_is_no_snmp_is_told() {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((_, peer)) = socket.recv_from(&mut buffer).await {
            if socket.send_to(b"220 smtp.example ESMTP", peer).await.is_err() {
                return;
            }
        }
    });
    let (text, retryable) = refusal(&format!("preset: apc, outlet: 1, host: 127.0.0.1, port: {port}")).await;
    assert!(
        text.starts_with(&format!("the PDU `127.0.0.1:{port}` answered with what is no SNMP: ")),
        "{text}"
    );
    assert!(retryable);
    server.abort();
}
