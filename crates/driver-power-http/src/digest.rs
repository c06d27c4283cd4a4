//! Digest authentication (RFC 7616) with SHA-256 and `qop=auth`: the password never goes over the wire.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// What a server wants to be answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
}

/// The login and the request that a challenge is answered for.
pub(crate) struct LoginRequest<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    pub(crate) method: &'a str,
    /// Path and query.
    pub(crate) uri: &'a str,
    /// Random text of ours.
    pub(crate) cnonce: &'a str,
}

impl Challenge {
    /// The challenge that can be answered among fields `WWW-Authenticate`.
    pub(crate) fn pick<'a>(mut fields: impl Iterator<Item = &'a str>) -> Option<Self> {
        fields.find_map(Self::parse)
    }

    fn parse(field: &str) -> Option<Self> {
        let (scheme, rest) = field.trim().split_once(' ')?;
        let mut values = values(rest);
        let is_ours = scheme.eq_ignore_ascii_case("digest")
            && values.get("algorithm").is_some_and(|it| it.eq_ignore_ascii_case("sha-256"))
            && values.get("qop").is_some_and(|it| it.split(',').any(|it| it.trim() == "auth"));
        let mut take = |name| values.remove(name);
        is_ours.then_some(())?;
        Some(Self { realm: take("realm")?, nonce: take("nonce")?, opaque: take("opaque") })
    }

    /// The field `Authorization`. A challenge is answered once, so the count is always one.
    pub(crate) fn answer(&self, asked: &LoginRequest<'_>) -> String {
        let LoginRequest { user, password, method, uri, cnonce } = asked;
        let secret = hash(&format!("{user}:{}:{password}", self.realm));
        let request = hash(&format!("{method}:{uri}"));
        let response = hash(&format!("{secret}:{}:00000001:{cnonce}:auth:{request}", self.nonce));
        let mut text = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", algorithm=SHA-256, qop=auth, nc=00000001, \
             cnonce=\"{cnonce}\", response=\"{response}\"",
            escaped(user),
            escaped(&self.realm),
            escaped(&self.nonce)
        );
        if let Some(opaque) = &self.opaque {
            let _ = write!(text, ", opaque=\"{}\"", escaped(opaque)); // a text takes everything
        }
        text
    }
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// `name=value` and `name="quoted value"`, names in lower case. What is neither is left out.
fn values(text: &str) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value(after);
        values.insert(name.trim_matches([',', ' ', '\t']).to_lowercase(), value);
        rest = after;
    }
    values
}

/// A value, and what comes after it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        let (value, rest) = text.split_once(',').unwrap_or((text, ""));
        return (value.trim().to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELD: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, \
                         nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn the_example_of_the_rfc_is_answered_as_it_is_there() {
        // RFC 7616, section 3.9.1.
        let challenge = Challenge::pick([FIELD].into_iter()).unwrap();
        let answer = challenge.answer(&LoginRequest {
            user: "Mufasa",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        });
        let response = "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"";
        assert!(answer.contains(response), "{answer}");
        assert!(answer.ends_with("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""), "{answer}");
    }

    #[test]
    fn challenges_that_can_be_answered() {
        let md5 = FIELD.replace("SHA-256", "MD5");
        assert!(Challenge::pick([md5.as_str(), "Basic realm=\"x\"", FIELD].into_iter()).is_some());
        for field in [
            &md5,
            "Basic realm=\"x\"",
            "Digest",
            "",
            "Digest realm=\"a, algorithm=SHA-256, qop=auth, nonce=1",
            "Digest algorithm=SHA-256, qop=auth-int, realm=a, nonce=b",
            "Digest =,=\"\\",
            "Digest algorithm=SHA-256, qop=auth, realm=\"ü",
        ] {
            assert_eq!(Challenge::pick([field].into_iter()), None, "{field}");
        }
        let odd = "dIgEsT QOP=auth,NONCE=n,ALGORITHM=sha-256,Realm=\"a \\\"b\\\"\"";
        let expected = Challenge { realm: "a \"b\"".to_owned(), nonce: "n".to_owned(), opaque: None };
        assert_eq!(Challenge::pick([odd].into_iter()), Some(expected));
    }
}
