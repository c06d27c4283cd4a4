//! Files of a file server, as the opendal driver serves them.

use std::io::Seek;
use std::sync::Arc;

use flasher_core::async_trait;
use prost_types::Value;
use sha2::Digest as _;
use tonic::Code;
use uuid::Uuid;

use super::{Args, Call, Capability, Method, Param, Shape, unanswered};
use crate::failure::{CallFailure, CallResult};
use crate::results::Results;
use crate::storage::Storage;
use crate::storage::files::{Handle as File, Open, short};
use crate::storage::root::EntryFacts;
use crate::value;

const PATH: Param = Param::needed("path", Shape::Text);
const FD: Param = Param::needed("fd", Shape::Text);
const HANDLE: Param = Param::needed("handle", Shape::Handle);
const TARGET: Param = Param::needed("target", Shape::Text);
const SOURCE: Param = Param::needed("source", Shape::Text);
const EXPIRE: Param = Param::needed("expire_second", Shape::Whole);

pub(super) const METHODS: &[Method] = &[
    Method::call("open", &[PATH, Param::needed("mode", Shape::OneOf(&["rb", "wb"]))], "a file handle"),
    Method::call("file_read", &[FD, HANDLE], "nothing, once the rest of the file went into the resource"),
    Method::call("file_write", &[FD, HANDLE], "nothing, once all of the resource is in the file"),
    Method::call(
        "file_seek",
        &[FD, Param::needed("pos", Shape::Whole), Param::optional("whence", Shape::Whole)],
        "where it is then",
    ),
    Method::call("file_tell", &[FD], "where it is"),
    Method::call("file_close", &[FD], "nothing; what was written is there under its name"),
    Method::call("file_closed", &[FD], "whether it is closed"),
    Method::call("file_readable", &[FD], "whether it was opened to read"),
    Method::call("file_seekable", &[FD], "true"),
    Method::call("file_writable", &[FD], "whether it was opened to write"),
    Method::call("stat", &[PATH], "length and kind"),
    Method::call(
        "hash",
        &[PATH, Param::optional("algo", Shape::OneOf(&["sha256", "md5"]))],
        "lower-case hex",
    ),
    Method::call("copy", &[SOURCE, TARGET], "nothing"),
    Method::call("rename", &[SOURCE, TARGET], "nothing"),
    Method::call("remove_all", &[PATH], "nothing"),
    Method::call("create_dir", &[PATH], "nothing"),
    Method::call("delete", &[PATH], "nothing, also when it was missing"),
    Method::call("exists", &[PATH], "whether it is there"),
    Method::results("list", &[PATH], "the folder itself, and what is in it"),
    Method::results("scan", &[PATH], "the folder itself, and all that is below it"),
    Method::call("presign_stat", &[PATH, EXPIRE], "an error: files have no URL here"),
    Method::call("presign_read", &[PATH, EXPIRE], "an error: files have no URL here"),
    Method::call("presign_write", &[PATH, EXPIRE], "an error: files have no URL here"),
    Method::call("capability", &[], "what this storage can do"),
    Method::call("get_created_resources", &[], "paths that are removed when the exporter ends"),
    Method::call("register_path", &[PATH], "nothing; the path is removed when the exporter ends"),
];

/// What opendal says of a folder of files, field by field.
const CAN: &[&str] = &[
    "blocking",
    "copy",
    "create_dir",
    "delete",
    "list",
    "read",
    "rename",
    "shared",
    "stat",
    "write",
    "write_can_append",
    "write_can_empty",
    "write_can_multi",
];
const CANNOT: &[&str] = &[
    "list_with_limit",
    "list_with_recursive",
    "list_with_start_after",
    "presign",
    "presign_read",
    "presign_stat",
    "presign_write",
    "read_with_if_match",
    "read_with_if_none_match",
    "read_with_override_cache_control",
    "read_with_override_content_disposition",
    "read_with_override_content_type",
    "stat_with_if_match",
    "stat_with_if_none_match",
    "write_with_cache_control",
    "write_with_content_disposition",
    "write_with_content_type",
];
const UNBOUNDED: &[&str] = &["write_multi_max_size", "write_multi_min_size", "write_total_max_size"];

/// The files of one server for clients.
#[derive(Debug)]
pub(crate) struct Opendal(pub(crate) Arc<Storage>);

#[async_trait]
impl Capability for Opendal {
    fn client(&self) -> &str {
        "jumpstarter_driver_opendal.client.OpendalClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, args: Args, call: &Call) -> CallResult<Value> {
        match method {
            "open" => self.open(&args, call).await.map(|fd| value::text(fd.to_string())),
            "file_read" => self.read(args, call).await.map(|()| value::null()),
            "file_write" => self.write(args, call).await.map(|()| value::null()),
            "capability" => Ok(capability()),
            "get_created_resources" => Ok(value::list(self.0.created.paths().into_iter().map(value::text))),
            "presign_stat" | "presign_read" | "presign_write" => Err(CallFailure::new(
                Code::Unknown,
                format!("`{method}` is not supported: files have no URL here"),
            )),
            name if name.starts_with("file_") => self.on_file(name.to_owned(), args, call).await,
            name => self.on_path(name.to_owned(), args, call).await,
        }
    }

    async fn results(&self, method: &str, args: Args, call: &Call) -> CallResult<Results> {
        let deep = match method {
            "list" => false,
            "scan" => true,
            other => return Err(unanswered(other)),
        };
        let (storage, path) = (Arc::clone(&self.0), args.text(0)?.to_owned());
        let list = move || {
            storage.root.list(&path, deep).map_err(|error| CallFailure::io("list", &short(&path), &error))
        };
        let paths = call.blocking(list).await?;
        Ok(Box::pin(futures_util::stream::iter(paths.into_iter().map(|path| Ok(value::text(path))))))
    }

    async fn release(&self, connection: u64) {
        self.0.files.release(connection);
    }
}

impl Opendal {
    async fn open(&self, args: &Args, call: &Call) -> CallResult<Uuid> {
        let (storage, connection) = (Arc::clone(&self.0), call.owner.connection);
        let (path, write) = (args.text(0)?.to_owned(), args.text(1)? == "wb");
        call.blocking(move || {
            let failed = |error| CallFailure::io("open", &short(&path), &error);
            let open = match write {
                true => Open::Writing(storage.root.create(&path).map_err(failed)?),
                false => Open::Reading(storage.root.open(&path).map_err(failed)?),
            };
            if write {
                storage.created.add(&path);
            }
            storage.files.add(connection, &path, open)
        })
        .await
    }

    fn file(&self, args: &Args, call: &Call) -> CallResult<File> {
        self.0.files.get(call.owner.connection, args.text(0)?)
    }

    async fn read(&self, mut args: Args, call: &Call) -> CallResult<()> {
        let (file, handle) = (self.file(&args, call)?, args.handle(1)?);
        let measured = file.clone();
        let rest = call.blocking(move || left(&measured)).await?;
        let sink = call.sink(handle, rest)?;
        let verdict = call
            .blocking(move || {
                let mut open = file.lock();
                let from =
                    open.file().map_err(|error| CallFailure::io("read", &short(&file.path), &error))?;
                sink.copy_from(from)
            })
            .await?;
        match verdict {
            None => Ok(()),
            Some(verdict) => verdict.await.unwrap_or_else(|_| Err(CallFailure::gone())),
        }
    }

    async fn write(&self, mut args: Args, call: &Call) -> CallResult<()> {
        let (file, handle) = (self.file(&args, call)?, args.handle(1)?);
        let source = call.source(handle)?;
        call.blocking(move || {
            let mut open = file.lock();
            if !open.is_written() {
                return Err(CallFailure::argument(format!("`{}` was opened to read", short(&file.path))));
            }
            let to = open.file().map_err(|error| CallFailure::io("write", &short(&file.path), &error))?;
            let copied = source.copy_to(to);
            if copied.is_err() {
                // What is not whole must never get its name.
                *open = Open::Closed { wrote: true };
            }
            copied.map(drop)
        })
        .await
    }

    async fn on_file(&self, method: String, args: Args, call: &Call) -> CallResult<Value> {
        let file = self.file(&args, call)?;
        call.blocking(move || {
            let mut open = file.lock();
            let failed =
                |error| CallFailure::io(method.trim_start_matches("file_"), &short(&file.path), &error);
            Ok(match method.as_str() {
                "file_seek" => {
                    let (to, whence) = (args.whole(1).unwrap_or_default(), args.whole(2).unwrap_or_default());
                    if !(0..=2).contains(&whence) {
                        return Err(CallFailure::argument("`whence` is 0, 1 or 2"));
                    }
                    value::count(open.seek(to, whence).map_err(failed)?)
                }
                "file_tell" => value::count(open.file().and_then(Seek::stream_position).map_err(failed)?),
                "file_close" => {
                    open.close().map_err(failed)?;
                    value::null()
                }
                "file_closed" => value::flag(open.is_closed()),
                "file_readable" => value::flag(!open.is_written()),
                "file_writable" => value::flag(open.is_written()),
                "file_seekable" => value::flag(true),
                other => return Err(unanswered(other)),
            })
        })
        .await
    }

    async fn on_path(&self, method: String, args: Args, call: &Call) -> CallResult<Value> {
        let storage = Arc::clone(&self.0);
        let closed = call.connection.closed.clone();
        call.blocking(move || {
            let (root, path) = (&storage.root, args.text(0)?);
            let failed = |error| CallFailure::io(&method, &short(path), &error);
            let target = || args.text(1);
            match method.as_str() {
                "stat" => return root.facts(path).map(stat).map_err(failed),
                "exists" => return root.exists(path).map(value::flag).map_err(failed),
                "hash" => {
                    let mut file = root.open(path).map_err(failed)?;
                    let md5 = args.optional_text(1) == Some("md5");
                    return hash(&mut file, md5, || closed.is_cancelled()).map(value::text).map_err(failed);
                }
                "copy" => root.copy(path, target()?).map_err(failed)?,
                "rename" => root.rename(path, target()?).map_err(failed)?,
                "create_dir" => root.create_folder(path).map_err(failed)?,
                "delete" => root.delete(path).map_err(failed)?,
                "remove_all" => root.remove_all(path).map_err(failed)?,
                "register_path" => {}
                other => return Err(unanswered(other)),
            }
            match method.as_str() {
                "copy" | "rename" => storage.created.add(target()?),
                "create_dir" | "register_path" => storage.created.add(path),
                _ => {}
            }
            Ok(value::null())
        })
        .await
    }
}

/// Bytes of an open file behind where it is.
fn left(file: &File) -> CallResult<u64> {
    let mut open = file.lock();
    let measured = open.file().and_then(|file| {
        let (length, at) = (file.metadata()?.len(), file.stream_position()?);
        Ok(length.saturating_sub(at))
    });
    measured.map_err(|error| CallFailure::io("read", &short(&file.path), &error))
}

fn hash(file: &mut std::fs::File, md5: bool, stop: impl Fn() -> bool) -> std::io::Result<String> {
    let (mut sha256, mut md5_hash) = (sha2::Sha256::new(), md5::Md5::new());
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let count = std::io::Read::read(file, &mut buffer)?;
        if stop() {
            return Err(std::io::Error::other("the client went away"));
        }
        match (count, md5) {
            (0, true) => return Ok(hex(&md5_hash.finalize())),
            (0, false) => return Ok(hex(&sha256.finalize())),
            (_, true) => md5_hash.update(&buffer[..count]),
            (_, false) => sha256.update(&buffer[..count]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stat(facts: EntryFacts) -> Value {
    let mode = [("entry_is_file", !facts.is_folder), ("entry_is_dir", facts.is_folder)];
    let nothing = ["content_disposition", "content_md5", "content_type", "etag"];
    let fields = [
        ("content_length", value::count(if facts.is_folder { 0 } else { facts.length })),
        ("mode", value::record(mode.map(|(name, yes)| (name, value::flag(yes))))),
    ];
    value::record(nothing.map(|name| (name, value::null())).into_iter().chain(fields))
}

fn capability() -> Value {
    let can = CAN.iter().map(|name| (*name, value::flag(true)));
    let cannot = CANNOT.iter().map(|name| (*name, value::flag(false)));
    let unbounded = UNBOUNDED.iter().map(|name| (*name, value::null()));
    value::record(can.chain(cannot).chain(unbounded))
}
