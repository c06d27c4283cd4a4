//! The proxy of the environment (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`) that stands between, for messages.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// The proxy for `url`, without its user and password; none when it is reached directly.
pub(super) fn of(url: &Url) -> Option<String> {
    through(&Matcher::from_env(), url)
}

/// Whether requests can go by way of `proxy`.
pub(super) fn is_known(proxy: &str) -> bool {
    proxy.starts_with("http://") || proxy.starts_with("https://")
}

fn through(environment: &Matcher, url: &Url) -> Option<String> {
    let proxy = environment.intercept(&url.as_str().parse().ok()?)?;
    let uri = proxy.uri();
    let port = uri.port_u16().map_or(String::new(), |port| format!(":{port}"));
    Some(format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_of_a_url_is_named_without_its_secrets() {
        let environment = Matcher::builder()
            .http("http://user:hunter2@proxy:3128")
            .https("socks5://socks:1080")
            .no("lab.example")
            .build();
        for (url, found) in [
            ("http://host/os.img", Some("http://proxy:3128")),
            ("https://host/os.img?sig=1", Some("socks5://socks:1080")),
            ("http://lab.example/os.img", None),
        ] {
            let proxy = through(&environment, &Url::parse(url).unwrap());
            assert_eq!(proxy.as_deref(), found, "{url}");
        }
        assert!(is_known("http://proxy:3128") && !is_known("socks5://socks:1080"));
    }
}
