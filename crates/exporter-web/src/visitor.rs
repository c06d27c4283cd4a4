//! Who asks: the session of the browser, and whether a request is one that this page made.

use std::net::SocketAddr;

use flasher_base::safe;
use warp::http::header::{COOKIE, HeaderMap, HeaderValue, ORIGIN};

use crate::sessions::{BrowserSession, LIFE, Sessions};

/// How the cookie begins; the port follows, since browsers send the cookies of one port to all.
const COOKIE_NAME: &str = "flasher-";

/// Where a request came from.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) session: BrowserSession,
    pub(crate) peer: SocketAddr,
}

/// What the page is reached by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CookieRules {
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

impl CookieRules {
    /// The session that a request belongs to.
    pub(crate) fn session(self, headers: &HeaderMap, sessions: &Sessions) -> Option<BrowserSession> {
        let name = self.name();
        let cookies = headers.get_all(COOKIE).iter().filter_map(|it| it.to_str().ok());
        let mut pairs = cookies.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
        pairs.find_map(|(key, id)| if key == name { sessions.find(id) } else { None })
    }

    /// What gives the browser this session.
    pub(crate) fn cookie(self, session: &BrowserSession) -> Option<HeaderValue> {
        let secure = if self.is_tls { "; Secure" } else { "" };
        let (name, id, life) = (self.name(), &session.id, LIFE.as_secs());
        let text = format!("{name}={id}; Path=/; Max-Age={life}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&text).ok()
    }

    fn name(self) -> String {
        format!("{COOKIE_NAME}{}", self.port)
    }
}

impl Visitor {
    /// What the visitor is called in messages to others.
    pub(crate) fn name(&self) -> String {
        format!("the web page at {}", safe::line(&self.peer.to_string()))
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.peer.ip().to_canonical().is_loopback()
    }
}

/// Whether a request that acts was made by a page of this host. A browser that says nothing has the token to show.
pub(crate) fn is_of_page(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_same =
        |origin: &str| origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host));
    let by_origin = text(ORIGIN.as_str()).is_none_or(is_same);
    let by_site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    by_origin && by_site
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_another_page_is_known() {
        let check = |pairs: &[(&'static str, &'static str)], expected| {
            let headers = pairs.iter().map(|(name, value)| {
                (warp::http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            let headers: HeaderMap = headers.collect();
            assert_eq!(is_of_page(&headers, "lab:8080"), expected, "{pairs:?}");
        };
        check(&[], true);
        check(&[("origin", "https://LAB:8080"), ("sec-fetch-site", "same-origin")], true);
        for (name, value) in [
            ("origin", "http://evil.example"),
            ("origin", "http://lab:80"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            check(&[(name, value)], false);
        }
    }

    #[tokio::test]
    async fn a_cookie_is_found_among_others() {
        let sessions = Sessions::default();
        let session = sessions.begin(false).unwrap();
        let rules = CookieRules { port: 8080, is_tls: true };
        let cookie = rules.cookie(&session).unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        let sent = format!("a=b; flasher-80=x; {}", cookie.split(';').next().unwrap());
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(&sent).unwrap())]);
        assert_eq!(rules.session(&headers, &sessions), Some(session));
        assert_eq!(CookieRules { port: 80, ..rules }.session(&headers, &sessions), None);
    }
}
