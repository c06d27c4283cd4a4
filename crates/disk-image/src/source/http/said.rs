//! A server's own words about a refusal: they tell an expired link from a wrong token.

use std::time::Duration;

use flasher_base::safe;
use reqwest::Response;

/// Most bytes of a refusal that are read, and most characters of it that are shown.
const READ: usize = 8 * 1024;
const SHOWN: usize = 200;
const PATIENCE: Duration = Duration::from_secs(5);

/// What the server says in the body of `response`, in one line; none if it says nothing that people read.
pub(super) async fn of(mut response: Response) -> Option<String> {
    let mut body = Vec::new();
    let read = async {
        while body.len() < READ {
            // What came before a cut is as good.
            let Ok(Some(chunk)) = response.chunk().await else { break };
            body.extend_from_slice(&chunk[..chunk.len().min(READ - body.len())]);
        }
    };
    let _ = tokio::time::timeout(PATIENCE, read).await; // what came until then is as good
    words(std::str::from_utf8(&body).ok()?)
}

/// The message in a document of XML (S3), JSON (most others) or HTML, or the first line of a text. Other parts may repeat
/// what we sent, which is secret.
fn words(body: &str) -> Option<String> {
    let body = body.trim();
    let found = if body.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(body).ok()?;
        let list = value["errors"][0].clone();
        let texts = ["message", "error_description", "error", "detail"].into_iter();
        texts
            .flat_map(|key| [value[key].clone(), list[key].clone()])
            .find_map(|it| it.as_str().map(str::to_owned))
    } else if body.starts_with('<') {
        ["Message", "message", "title", "TITLE"].into_iter().find_map(|tag| between(body, tag))
    } else {
        body.lines().next().map(str::to_owned)
    };
    let line = safe::short(found?.replace('`', "'").trim(), SHOWN);
    (!line.is_empty()).then_some(line)
}

fn between(body: &str, tag: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{tag}>"))?;
    rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_refusal_is_found_and_nothing_else_of_it() {
        let s3 = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message>\
                  <StringToSign>secret</StringToSign></Error>";
        for (body, found) in [
            (s3, Some("Request has expired")),
            (
                r#"{"error":"insufficient_scope","error_description":"needs read_api"}"#,
                Some("needs read_api"),
            ),
            (r#"{"errors":[{"status":403,"message":"Quota exceeded"}]}"#, Some("Quota exceeded")),
            ("<html><head><title>403 Forbidden</title></head>", Some("403 Forbidden")),
            ("Token `a` expired\r\nat noon", Some("Token 'a' expired")),
            ("\x1b[31mred", Some("\u{fffd}[31mred")),
            ("", None),
            ("{\"error\":", None),
            ("<p>no title", None),
        ] {
            assert_eq!(words(body).as_deref(), found, "{body}");
        }
    }
}
