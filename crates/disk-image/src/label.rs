//! The name of a source as messages and receipts may show it.

/// `source` (a path or URL) without user information, query values and fragment; a path stays as it is.
pub fn redact(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.to_owned() };
    let rest = rest.split('#').next().unwrap_or_default();
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let host = authority.rsplit_once('@').map_or(authority.to_owned(), |(_, host)| format!("***@{host}"));
    let query = query.map_or(String::new(), |query| format!("?{}", hide_values(query)));
    format!("{scheme}://{host}{path}{query}")
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
            ("http://host/os.img", "http://host/os.img"),
            ("https://user:pass@host:8443/os.img", "https://***@host:8443/os.img"),
            ("https://user:p@ss@host", "https://***@host"),
            ("https://s3/b/os.img?X-Sig=abc&token&x=", "https://s3/b/os.img?X-Sig=***&***&x=***"),
            ("https://host?k=a/b@c", "https://host?k=***"),
            ("https://host/a@b.img#frag", "https://host/a@b.img"),
        ] {
            assert_eq!(redact(source), label);
        }
    }
}
