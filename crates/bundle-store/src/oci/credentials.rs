//! Who we are to a registry: OCI_USERNAME and OCI_PASSWORD, else the files that Docker and Podman write.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use super::{OciError, Reference};

/// Credentials, and how to speak of their owner without telling them.
pub(super) struct Credentials {
    pub(super) auth: RegistryAuth,
    pub(super) who: String,
}

/// The credentials for the registry of `reference` as this process has them.
///
/// # Errors
/// [`OciError::Credentials`] for a file that is there and cannot be used, or that names a helper.
pub(super) fn of(reference: &Reference) -> Result<Credentials, OciError> {
    of_environment(reference, &|name| env::var_os(name))
}

type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

fn of_environment(reference: &Reference, environment: Environment<'_>) -> Result<Credentials, OciError> {
    let text =
        |name| environment(name).and_then(|value| value.into_string().ok()).filter(|it| !it.is_empty());
    if let (Some(user), Some(password)) = (text("OCI_USERNAME"), text("OCI_PASSWORD")) {
        return Ok(basic(user, password, "OCI_USERNAME"));
    }
    let mut unasked = String::new();
    for place in places(environment) {
        match in_file(&place, reference)? {
            Some(LoginLookup::Pair(user, password)) => {
                return Ok(basic(user, password, &place.display().to_string()));
            }
            Some(LoginLookup::Helper(helper)) => {
                unasked = format!(" (the helper `{helper}` of {} is not asked)", place.display());
            }
            None => {}
        }
    }
    Ok(Credentials { auth: RegistryAuth::Anonymous, who: format!("anonymous users{unasked}") })
}

/// What a file has for a registry.
enum LoginLookup {
    /// User and password.
    Pair(String, String),
    /// The name of a program that would know them.
    Helper(String),
}

fn basic(user: String, password: String, origin: &str) -> Credentials {
    let who = format!("`{user}` (from {origin})");
    Credentials { auth: RegistryAuth::Basic(user, password), who }
}

/// Where Podman and Docker keep theirs, in the order Podman looks (containers-auth.json(5)).
fn places(environment: Environment<'_>) -> Vec<PathBuf> {
    if let Some(file) = environment("REGISTRY_AUTH_FILE") {
        return vec![file.into()];
    }
    let below = |name: &str, rest: &str| environment(name).map(|folder| Path::new(&folder).join(rest));
    let docker = below("DOCKER_CONFIG", "config.json").or_else(|| below("HOME", ".docker/config.json"));
    let config = below("XDG_CONFIG_HOME", "containers/auth.json");
    let config = config.or_else(|| below("HOME", ".config/containers/auth.json"));
    [below("XDG_RUNTIME_DIR", "containers/auth.json"), config, docker].into_iter().flatten().collect()
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, LoginEntry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct LoginEntry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

const LARGEST: u64 = 1 << 20; // bytes

fn in_file(place: &Path, reference: &Reference) -> Result<Option<LoginLookup>, OciError> {
    let refuse = |reason: String| OciError::Credentials { place: place.into(), reason };
    let text = match read(place) {
        Err(fault) if matches!(fault.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        read => read.map_err(|fault| refuse(fault.to_string()))?,
    };
    // The parser's own words could quote a secret.
    let file: File = serde_json::from_str(&text)
        .map_err(|fault| refuse(format!("no JSON of the expected shape at line {}", fault.line())))?;
    for key in keys(reference) {
        if let Some(entry) = file.auths.iter().find(|(name, _)| host(name) == key).map(|(_, entry)| entry)
            && let Some((user, password)) = entry.pair().map_err(refuse)?
        {
            return Ok(Some(LoginLookup::Pair(user, password)));
        }
    }
    let helper = file.helpers.get(reference.registry()).or(file.store.as_ref());
    if let (Some(helper), true) = (helper, file.auths.keys().any(|name| host(name) == reference.registry())) {
        let reason = format!("they are kept by the helper `{helper}`, which is not asked");
        return Err(refuse(reason));
    }
    // Without an entry of its own what is public may still be had.
    Ok(file.helpers.get(reference.registry()).cloned().map(LoginLookup::Helper))
}

fn read(place: &Path) -> io::Result<String> {
    if fs::metadata(place)?.len() > LARGEST {
        return Err(io::Error::other("more than 1 MiB"));
    }
    fs::read_to_string(place)
}

/// `registry/repository`, its parents, and the registry: the most specific first.
fn keys(reference: &Reference) -> Vec<String> {
    let mut name = format!("{}/{}", reference.registry(), reference.repository());
    let mut keys = vec![name.clone()];
    while let Some((parent, _)) = name.rsplit_once('/') {
        name = parent.to_owned();
        keys.push(name.clone());
    }
    keys
}

/// Docker writes some registries as URLs.
fn host(name: &str) -> String {
    let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
    let name = name.strip_suffix("/v1/").or_else(|| name.strip_suffix("/v2/")).unwrap_or(name);
    name.trim_end_matches('/').to_owned()
}

impl LoginEntry {
    fn pair(&self) -> Result<Option<(String, String)>, String> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Ok(Some((user.clone(), password.clone())));
        }
        let Some(auth) = self.auth.as_deref().filter(|auth| !auth.is_empty()) else {
            return match self.identitytoken {
                Some(_) => Err("an identity token is not supported; log in with user and password".into()),
                None => Ok(None),
            };
        };
        let bytes = STANDARD.decode(auth).map_err(|_| "`auth` is not base64")?;
        let text = String::from_utf8(bytes).map_err(|_| "`auth` is not text")?;
        let (user, password) = text.split_once(':').ok_or("`auth` has no `:` between user and password")?;
        Ok(Some((user.to_owned(), password.trim_end_matches('\0').to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str, reference: &str) -> Result<(RegistryAuth, String), String> {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join(".docker")).unwrap();
        fs::write(home.path().join(".docker/config.json"), file).unwrap();
        let environment = |name: &str| (name == "HOME").then(|| home.path().as_os_str().to_owned());
        let found = of_environment(&reference.parse().unwrap(), &environment);
        let place = home.path().display().to_string();
        let tell = |text: String| text.replace(&place, "~");
        found.map(|it| (it.auth, tell(it.who))).map_err(|error| tell(error.to_string()))
    }

    #[test]
    fn the_files_of_docker_are_understood() {
        let basic = |user: &str, password: &str| {
            let who = format!("`{user}` (from ~/.docker/config.json)");
            Ok((RegistryAuth::Basic(user.into(), password.into()), who))
        };
        let auth = STANDARD.encode("me:pass:word");
        let cases = [
            (format!(r#"{{"auths":{{"quay.io":{{"auth":"{auth}"}}}}}}"#), basic("me", "pass:word")),
            (
                format!(r#"{{"auths":{{"https://quay.io/v2/":{{"auth":"{auth}"}}}}}}"#),
                basic("me", "pass:word"),
            ),
            (
                format!(
                    r#"{{"auths":{{"quay.io":{{"auth":"{auth}"}},"quay.io/acme":{{"username":"a","password":"b"}}}}}}"#
                ),
                basic("a", "b"),
            ),
            (
                r#"{"auths":{"other.io":{"auth":"x"}}}"#.to_owned(),
                Ok((RegistryAuth::Anonymous, "anonymous users".into())),
            ),
            ("{}".to_owned(), Ok((RegistryAuth::Anonymous, "anonymous users".into()))),
            (
                r#"{"credHelpers":{"quay.io":"pass"}}"#.to_owned(),
                Ok((
                    RegistryAuth::Anonymous,
                    "anonymous users (the helper `pass` of ~/.docker/config.json is not asked)".into(),
                )),
            ),
        ];
        for (file, expected) in cases {
            assert_eq!(found(&file, "quay.io/acme/bundle:v1"), expected, "{file}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_without_its_secrets() {
        let cases = [
            (r#"{"auths": {"quay.io": "hunter2"}}"#, "no JSON of the expected shape at line 1"),
            (r#"{"auths":{"quay.io":{"auth":"***"}}}"#, "`auth` is not base64"),
            (
                r#"{"auths":{"quay.io":{"auth":"aHVudGVyMg=="}}}"#,
                "`auth` has no `:` between user and password",
            ),
            (
                r#"{"auths":{"quay.io":{}},"credsStore":"pass"}"#,
                "they are kept by the helper `pass`, which is not asked",
            ),
            (
                r#"{"auths":{"quay.io":{"identitytoken":"hunter2"}}}"#,
                "an identity token is not supported; log in with user and password",
            ),
        ];
        for (file, reason) in cases {
            let expected = format!("cannot use the credentials in `~/.docker/config.json`: {reason}");
            assert_eq!(found(file, "quay.io/acme/bundle:v1").unwrap_err(), expected);
        }
    }

    #[test]
    fn the_environment_comes_first() {
        let environment = |name: &str| match name {
            "OCI_USERNAME" => Some("me".into()),
            "OCI_PASSWORD" => Some("secret".into()),
            _ => None,
        };
        let found = of_environment(&"quay.io/b:v1".parse().unwrap(), &environment).unwrap();
        assert_eq!(found.auth, RegistryAuth::Basic("me".into(), "secret".into()));
        assert_eq!(found.who, "`me` (from OCI_USERNAME)");
    }
}
