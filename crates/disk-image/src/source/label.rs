//! The name of a source as messages and receipts may show it.

/// `source` (a path or URL) without user information, query values and fragment; a path stays as it is. A URL that was
/// mistyped (`http:/user:password@host`) keeps its secrets too.
pub fn redact(source: &str) -> String {
    match source.split_once("://") {
        Some((scheme, rest)) => redact_url(scheme, rest),
        None => redact_mistyped(source),
    }
}

fn redact_url(scheme: &str, rest: &str) -> String {
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let place = without_user(place).map_or(place.to_owned(), |rest| format!("***@{rest}"));
    let query = query.map_or(String::new(), |query| format!("?{}", hide_values(query)));
    format!("{scheme}://{place}{query}")
}

/// What is behind the user information of `place`, if it has any. A password may have slashes that should have been escaped:
/// what looks like a host with a port that is no number is a user.
fn without_user(place: &str) -> Option<&str> {
    let bare = place.trim_start_matches('/');
    let (authority, _) = bare.split_once('/').unwrap_or((bare, ""));
    if let Some((_, host)) = authority.rsplit_once('@') {
        return bare.get(authority.len() - host.len()..);
    }
    let (_, port) = authority.split_once(':')?;
    let is_address = authority.starts_with('[') || port.bytes().all(|byte| byte.is_ascii_digit());
    if is_address { None } else { bare.rsplit_once('@').map(|(_, rest)| rest) }
}

/// A text without `://` that has a secret before its last `@`, behind a user or what may be meant as a scheme.
fn redact_mistyped(text: &str) -> String {
    let is_path = text.starts_with(['/', '.', '~']) && !text.starts_with("//");
    let Some((user, rest)) = text.rsplit_once('@').filter(|_| !is_path) else { return text.to_owned() };
    let is_word = |c: char| c.is_alphanumeric() || "+-_.%".contains(c);
    let word = user.find(|c| !is_word(c)).unwrap_or(user.len());
    let behind = user[word..].trim_start_matches([':', ';', '/', '\\']);
    let (shown, secret) = user.split_at(user.len() - behind.len());
    let is_colon = shown[word..].starts_with([':', ';']) && !secret.contains('/');
    let has_no_scheme = word == 0 && shown.starts_with("//");
    let is_mistyped = shown.len() > word && (is_colon || has_no_scheme || is_scheme(&user[..word]));
    if is_mistyped { format!("{shown}***@{rest}") } else { text.to_owned() }
}

/// Schemes of sources.
fn is_scheme(text: &str) -> bool {
    ["http", "https", "oci", "s3", "file", "ftp"].iter().any(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// Keeps the names of a query; a part without `=` may itself be a secret.
fn hide_values(query: &str) -> String {
    let hidden = query
        .split('&')
        .map(|pair| pair.split_once('=').map_or("***".into(), |(name, _)| format!("{name}=***")));
    hidden.collect::<Vec<String>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_names_the_source_and_keeps_its_secrets() {
        for (source, label) in [
            ("/srv/a?b=c@d#e.img", "/srv/a?b=c@d#e.img"),
            ("images/v1:2@home.img", "images/v1:2@home.img"),
            ("os@2.img", "os@2.img"),
            ("http://host/os.img", "http://host/os.img"),
            ("https://user:pass@host:8443/os.img", "https://***@host:8443/os.img"),
            ("https://user:p@ss@host", "https://***@host"),
            ("https://s3/b/os.img?X-Sig=abc&token&x=", "https://s3/b/os.img?X-Sig=***&***&x=***"),
            ("https://host?k=a/b@c", "https://host?k=***"),
            ("https://host/a@b.img#frag", "https://host/a@b.img"),
            ("https://host:8443/a@b.img", "https://host:8443/a@b.img"),
            ("https://[::1]:8443/a@b.img", "https://[::1]:8443/a@b.img"),
            ("oci://user:pass@quay.io/os:1", "oci://***@quay.io/os:1"),
        ] {
            assert_eq!(redact(source), label);
        }
    }

    #[test]
    fn a_mistyped_url_keeps_its_secrets_too() {
        for (source, label) in [
            ("http:/user:pass@host/os.img", "http:/***@host/os.img"),
            ("http:user:pass@host/os.img", "http:***@host/os.img"),
            ("https//user:pass@host/os.img", "https//***@host/os.img"),
            ("//user:pass@host/os.img", "//***@host/os.img"),
            ("https:///user:pass@host/os.img", "https://***@host/os.img"),
            ("htps:/user:pass@host", "htps:/***@host"),
            ("http:\\\\user:pass@host", "http:\\\\***@host"),
            ("http;//user:pass@host", "http;//***@host"),
            ("oci:/user:pass@quay.io/os", "oci:/***@quay.io/os"),
            ("user:pass@host/os.img", "user:***@host/os.img"),
            ("https://user:pa/ss@host/os.img", "https://***@host/os.img"),
            ("http:/user:pa/ss@host/os.img", "http:/***@host/os.img"),
        ] {
            assert_eq!(redact(source), label);
        }
    }
}
