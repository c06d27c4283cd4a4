//! The names this machine answers to. A page in a browser whose name was led to an address of this network (DNS rebinding) brings
//! its own name along in `:authority` (RFC 9113 section 8.3.1), and is refused by it.

use std::net::IpAddr;

use tonic::codegen::http::Request;
use tonic::codegen::http::header::HOST;

use crate::failure::{CallFailure, CallResult};
use crate::tls::Certificate;

/// What the system's resolver adds to a name without a dot (resolv.conf(5)).
const RESOLVER: &str = "/etc/resolv.conf";

/// Names that requests may be for.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// In lower case.
    names: Vec<String>,
}

impl Hosts {
    /// The names of this machine, and `more` that were given for it.
    pub fn of_this_machine(more: &[String]) -> Self {
        let system = rustix::system::uname();
        let own = system.nodename().to_string_lossy().into_owned();
        // A machine without the file has no domain, and one name.
        let resolver = std::fs::read_to_string(RESOLVER).unwrap_or_default();
        Self::new(&own, &resolver, more)
    }

    fn new(own: &str, resolver: &str, more: &[String]) -> Self {
        let short = own.split('.').next().unwrap_or_default();
        let settings = resolver.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let domains = settings.filter(|(key, _)| matches!(*key, "search" | "domain"));
        let domains = domains.flat_map(|(_, names)| names.split_whitespace()).chain(["local"]);
        let full = domains.map(|domain| format!("{short}.{}", domain.trim_matches('.')));
        let names = full.chain([own.to_owned()]).chain(more.iter().cloned());
        Self { names: names.map(|name| plain(&name)).filter(|name| !name.is_empty()).collect() }
    }

    /// Whether a request for `host` (`HOST` or `HOST:PORT`) is for this machine, or for a name that its certificate proves.
    pub fn are_asked(&self, host: &str, certificate: Option<&Certificate>) -> bool {
        let host = plain(without_port(host));
        self.has(&host) || certificate.is_some_and(|certificate| certificate.is_for(&host))
    }

    /// Refuses a request for another machine.
    ///
    /// # Errors
    /// PERMISSION_DENIED that says how the name is allowed.
    pub(crate) fn check<B>(&self, request: &Request<B>, certificate: Option<&Certificate>) -> CallResult<()> {
        let header = || request.headers().get(HOST).and_then(|host| host.to_str().ok());
        let Some(host) = request.uri().authority().map(|it| it.as_str()).or_else(header) else {
            return Ok(());
        };
        if self.are_asked(host, certificate) {
            return Ok(());
        }
        let shown = flasher_core::safe::short(&plain(without_port(host)), 100);
        let text = format!(
            "this exporter is not called `{shown}`; ask for it by its address or the name of its machine, or start it with `flasher serve --host {shown}`"
        );
        Err(CallFailure::new(tonic::Code::PermissionDenied, text))
    }

    /// An address is always its own name: no page can have one that is led elsewhere. A name without a dot, `localhost` among
    /// them, is none of the Internet's.
    fn has(&self, host: &str) -> bool {
        let is_short = !host.is_empty() && !host.contains('.');
        let is_address = host.parse::<IpAddr>().is_ok();
        is_short || is_address || host.ends_with(".localhost") || self.names.iter().any(|name| name == host)
    }
}

/// A name as it is compared: lower case, without the brackets of an IPv6 address and the dot of the root.
fn plain(host: &str) -> String {
    host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase()
}

/// The host of `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`.
fn without_port(authority: &str) -> &str {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|it| it.is_ascii_digit()) && (host.ends_with(']') || !host.contains(':')) =>
        {
            host
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(authority: &str) -> Request<()> {
        Request::builder().header(HOST, authority).body(()).unwrap()
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let hosts =
            Hosts::new("Lab7.corp.example", "# x\nsearch test.example a.example\n", &["farm.example".into()]);
        let check = |host: &str, expected| {
            assert_eq!(hosts.check(&request(host), None).is_ok(), expected, "{host}");
        };
        for host in
            ["127.0.0.1", "127.0.0.1:18083", "[::1]", "[::1]:18083", "192.168.7.9", "LOCALHOST:1", "lab"]
        {
            check(host, true);
        }
        for host in
            ["lab.localhost", "lab7.corp.example", "LAB7.test.example.", "lab7.a.example:1", "lab7.local"]
        {
            check(host, true);
        }
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:18083",
            "localhost.evil.example",
            "lab7.evil.example",
            "",
        ] {
            check(host, false);
        }
        check("farm.example:18083", true);
        assert!(hosts.check(&Request::new(()), None).is_ok(), "no name is no foreign one");
        assert_eq!(
            hosts.check(&request("evil.example:80"), None).unwrap_err().text,
            "this exporter is not called `evil.example`; ask for it by its address or the name of its machine, or start it with `flasher serve --host evil.example`"
        );
    }

    #[test]
    fn the_names_of_a_certificate_are_answered_too() {
        let place = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(["farm.example".to_owned()]).unwrap();
        let (cert, key) = (place.path().join("cert"), place.path().join("key"));
        std::fs::write(&cert, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let certificate = Certificate::read(&cert, &key).unwrap();
        let hosts = Hosts::new("lab7", "", &[]);
        let check = |host: &str| hosts.check(&request(host), Some(&certificate)).is_ok();
        assert!(check("farm.example:18083") && !check("evil.example"));
    }
}
