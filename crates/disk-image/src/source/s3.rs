//! Objects in S3 and what speaks like it: an `s3://BUCKET/KEY` becomes a signed https URL, which is then read like any other.
//!
//! Region, endpoint and credentials are those of the environment (`AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
//! `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`; `AWS_SKIP_SIGNATURE=true` for what everybody may read).

use std::time::Duration;

use async_trait::async_trait;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{ClientOptions, Error as StoreError};
use reqwest::{Method, Url};

use crate::Error;

/// How long a signed URL is good for: longer than any flash, within what S3 allows (7 days).
const VALID: Duration = Duration::from_secs(12 * 3600);
/// The default region.
const REGION: &str = "us-east-1";
const MISSING: &str = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set; AWS_SKIP_SIGNATURE=true reads what everybody may read";

/// The URL of an object, signed if there are credentials. It is a secret.
pub(crate) async fn url(source: &str, label: &str) -> Result<String, Error> {
    url_in(source, label, |name| std::env::var(name).ok()).await
}

/// The same in another environment.
async fn url_in(source: &str, label: &str, env: impl Fn(&str) -> Option<String>) -> Result<String, Error> {
    let wrong = |reason: String| Error::Url { label: label.into(), reason };
    let rest = source.split_once("://").map_or("", |(_, rest)| rest);
    let parts = rest.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty());
    let (bucket, key) = parts.ok_or_else(|| wrong("it names no object: `s3://BUCKET/KEY`".into()))?;
    let key = Path::parse(key).map_err(|e| wrong(e.to_string()))?;
    let region = env("AWS_REGION").or_else(|| env("AWS_DEFAULT_REGION")).unwrap_or_else(|| REGION.into());
    let endpoint = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].into_iter().find_map(&env);
    if env("AWS_SKIP_SIGNATURE").is_some_and(|skip| skip == "true") {
        return plain(bucket, &key, endpoint.as_deref(), &region).map_err(wrong);
    }
    let Some((id, secret)) = env("AWS_ACCESS_KEY_ID").zip(env("AWS_SECRET_ACCESS_KEY")) else {
        return Err(wrong(MISSING.into()));
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_access_key_id(id)
        .with_secret_access_key(secret)
        .with_http_connector(SigningOnly);
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(true);
    }
    if let Some(token) = env("AWS_SESSION_TOKEN") {
        builder = builder.with_token(token);
    }
    let signed = builder.build().map_err(|e| wrong(e.to_string()))?;
    signed.signed_url(Method::GET, &key, VALID).await.map(Into::into).map_err(|e| wrong(e.to_string()))
}

/// The URL without a signature, in path style at an endpoint, in host style at Amazon's own.
fn plain(bucket: &str, key: &Path, endpoint: Option<&str>, region: &str) -> Result<String, String> {
    let base = match endpoint {
        Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
        None => format!("https://{bucket}.s3.{region}.amazonaws.com"),
    };
    let mut url = Url::parse(&base).map_err(|e| e.to_string())?;
    let mut path = url.path_segments_mut().map_err(|()| "the endpoint is no http URL".to_owned())?;
    path.pop_if_empty().extend(key.as_ref().split('/'));
    drop(path);
    Ok(url.into())
}

/// Signing needs no connection, and credentials are not asked for at any server.
#[derive(Debug)]
struct SigningOnly;

impl HttpConnector for SigningOnly {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient, StoreError> {
        Ok(HttpClient::new(SigningOnly))
    }
}

#[async_trait]
impl HttpService for SigningOnly {
    async fn call(&self, _: HttpRequest) -> Result<HttpResponse, HttpError> {
        let why = std::io::Error::other("credentials are taken from the environment only");
        Err(HttpError::new(HttpErrorKind::Unknown, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(source: &str, env: &[(&str, &str)]) -> String {
        let find = |name: &str| env.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned());
        url_in(source, source, find).await.unwrap_or_else(|error| error.to_string())
    }

    #[tokio::test]
    async fn an_object_has_a_url_at_amazon_or_at_an_endpoint() {
        let open = ("AWS_SKIP_SIGNATURE", "true");
        assert_eq!(
            check("s3://b/a/os 1.img", &[open]).await,
            "https://b.s3.us-east-1.amazonaws.com/a/os%201.img"
        );
        let env = [open, ("AWS_REGION", "eu-west-1")];
        assert_eq!(check("s3://b/os.img", &env).await, "https://b.s3.eu-west-1.amazonaws.com/os.img");
        let env = [open, ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")];
        assert_eq!(check("s3://b/a/os.img", &env).await, "http://127.0.0.1:9000/b/a/os.img");
    }

    #[tokio::test]
    async fn credentials_sign_the_url_and_are_not_in_it() {
        let env = [
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
        ];
        let url = check("s3://b/os.img", &env).await;
        assert!(url.starts_with("http://127.0.0.1:9000/b/os.img?"), "{url}");
        for part in ["X-Amz-Credential=AKIA%2F", "X-Amz-Expires=43200", "X-Amz-Signature="] {
            assert!(url.contains(part), "{part} in {url}");
        }
        assert!(!url.contains("hunter2"));
    }

    #[tokio::test]
    async fn what_names_no_object_or_nobody_may_read_is_told() {
        for (source, reason) in [
            ("s3://b", "it names no object: `s3://BUCKET/KEY`"),
            ("s3://b/", "it names no object: `s3://BUCKET/KEY`"),
            ("s3:///os.img", "it names no object: `s3://BUCKET/KEY`"),
            ("s3://b/os.img", MISSING),
        ] {
            let message = check(source, &[]).await;
            assert!(message.contains(reason), "{message}");
        }
    }
}
