//! The proxy of the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`) that stands before a registry, for messages.

use hyper_util::client::proxy::matcher::Matcher;

/// What to say of the proxy before a registry that is spoken to over http or https; nothing when there is none.
pub(super) fn told(registry: &str, is_plain: bool) -> String {
    through(&Matcher::from_env(), registry, is_plain)
}

fn through(environment: &Matcher, registry: &str, is_plain: bool) -> String {
    let scheme = if is_plain { "http" } else { "https" };
    let place = format!("{scheme}://{registry}/").parse().ok();
    let Some(proxy) = place.and_then(|place| environment.intercept(&place)) else { return String::new() };
    let (scheme, host) = (proxy.uri().scheme_str().unwrap_or("http"), proxy.uri().host().unwrap_or_default());
    let port = proxy.uri().port_u16().map_or(String::new(), |port| format!(":{port}"));
    let kind = match scheme {
        "http" | "https" => "",
        _ => {
            ", which is of no kind that can be used: expected http:// or https://, or the registry in `no_proxy`"
        }
    };
    format!("; by way of the proxy `{scheme}://{host}{port}` of the environment{kind}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_before_a_registry_is_named_without_its_secrets() {
        let environment = Matcher::builder()
            .http("http://user:hunter2@proxy:3128")
            .https("socks5://socks:1080")
            .no("lab.example")
            .build();
        let kind = ", which is of no kind that can be used: expected http:// or https://, or the registry in `no_proxy`";
        for (registry, is_plain, expected) in [
            ("quay.io", true, "; by way of the proxy `http://proxy:3128` of the environment".to_owned()),
            (
                "quay.io",
                false,
                format!("; by way of the proxy `socks5://socks:1080` of the environment{kind}"),
            ),
            ("lab.example:5000", true, String::new()),
        ] {
            assert_eq!(through(&environment, registry, is_plain), expected, "{registry}");
        }
    }
}
