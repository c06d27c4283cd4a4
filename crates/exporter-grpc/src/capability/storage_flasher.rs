//! A flasher whose board's medium a storage mux gives to this machine, as clients of storage muxes know one: they send an image, and our
//! transaction writes and proves it.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flasher_core::{
    DumpJob, DumpSink, Error, Event, Failure, FlashJob, Progress, Receipt, Result, StorageMux, async_trait,
};
use prost_types::Value;

use super::flasher::FLASH_JOB;
use super::storage_mux::order;
use super::{Args, Call, Capability, Flash, Method, Param, Shape, unanswered};
use crate::claims::Claim;
use crate::failure::{CallFailure, CallResult};
use crate::resource::Handle;
use crate::results::Results;
use crate::uploads::Upload;
use crate::value;

const HANDLE: Param = Param::needed("handle", Shape::Handle);
const TARGET: Param = Param::optional("target", Shape::Text);

pub(super) const METHODS: &[Method] = &[
    Method::call("host", &[], "nothing, once this machine has the medium"),
    Method::call("dut", &[], "nothing, once the board has the medium"),
    Method::call("off", &[], "nothing, once neither has the medium"),
    Method::call(
        "write",
        &[HANDLE],
        "nothing, once the image is proven on the medium and the board has it back",
    ),
    Method::call("read", &[HANDLE], "nothing, once the medium was read twice and sent"),
    Method::call("flash", &[HANDLE, TARGET], "as `write`"),
    Method::call("dump", &[HANDLE, TARGET], "as `read`"),
    FLASH_JOB,
];

/// A flasher over a storage mux for clients.
#[derive(Debug)]
pub(crate) struct StorageFlasher {
    pub(crate) flash: Flash,
    pub(crate) mux: Arc<dyn StorageMux>,
}

/// What a job holds until it ends: the board, against everyone else, and a folder for what is sent.
struct Reserved {
    _claim: Claim,
    _owned: flasher_core::owner::Held,
    upload: Arc<Upload>,
}

#[async_trait]
impl Capability for StorageFlasher {
    fn client(&self) -> &str {
        "jumpstarter_driver_opendal.client.StorageMuxFlasherClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, mut args: Args, call: &Call) -> CallResult<Value> {
        let target = match method {
            "flash" | "dump" => args.optional_text(1).map(str::to_owned),
            _ => None,
        };
        match method {
            "write" | "flash" => self.write(args.handle(0)?, target, call).await?,
            "read" | "dump" => self.read(args.handle(0)?, target, call).await?,
            "host" | "dut" | "off" => self.switch(method, call).await?,
            other => return Err(unanswered(other)),
        }
        Ok(value::null())
    }

    async fn results(&self, method: &str, args: Args, call: &Call) -> CallResult<Results> {
        self.flash.results(method, args, call).await
    }
}

impl StorageFlasher {
    async fn switch(&self, method: &str, call: &Call) -> CallResult<()> {
        self.flash.free(call)?;
        self.flash.owner.refuse_if_held().await.map_err(|error| CallFailure::held(&error))?;
        order(self.mux.as_ref(), method).await?;
        call.shared.log.driver(format!("storage mux {method}"));
        Ok(())
    }

    /// Makes the board this call's.
    async fn reserve(&self, what: &'static str, call: &Call) -> CallResult<Reserved> {
        let claims = &call.shared.claims;
        let claim = claims.try_take(&self.flash.wanted, what, &call.connection.peer, None)?;
        let owned = self.flash.owner.hold(what).await?;
        let uploads = call.shared.jobs.uploads();
        let upload = call.blocking(move || Ok(Arc::new(uploads.begin(&[])?))).await?;
        Ok(Reserved { _claim: claim, _owned: owned, upload })
    }

    /// Takes the image, and flashes it.
    async fn write(&self, handle: Handle, target: Option<String>, call: &Call) -> CallResult<()> {
        let source = call.source(handle)?;
        let reserved = self.reserve("a flash job", call).await?;
        let (path, upload) = (reserved.upload.path("image"), Arc::clone(&reserved.upload));
        let into = path.clone();
        call.blocking(move || {
            let mut file = File::create_new(&into).map_err(|error| unwritten(&error))?;
            let _kept = upload;
            source.copy_to(&mut file).map(drop)
        })
        .await?;
        let job = FlashJob {
            target,
            fetch: Some(call.fetch_rules()),
            site: self.flash.site.clone(),
            stop: call.connection.closed.child_token(),
            ..FlashJob::new(path.to_string_lossy())
        };
        let receipt = self.flash.flasher.flash(job, logged(call, "flash")).await;
        self.conclude(receipt, &reserved, call).await
    }

    /// Reads the medium, and sends it.
    async fn read(&self, handle: Handle, target: Option<String>, call: &Call) -> CallResult<()> {
        let reserved = self.reserve("a dump", call).await?;
        let sink = DumpFile::new(reserved.upload.path("dump")).map_err(|error| unwritten(&error))?;
        let sink = Arc::new(sink);
        let job = DumpJob {
            target,
            site: self.flash.site.clone(),
            stop: call.connection.closed.child_token(),
            ..DumpJob::new(Arc::clone(&sink) as Arc<dyn DumpSink>)
        };
        let receipt = self.flash.flasher.dump(job, logged(call, "dump")).await;
        self.conclude(receipt, &reserved, call).await?;
        let mut file = File::open(&sink.path).map_err(|error| unwritten(&error))?;
        let length = file.metadata().map_err(|error| unwritten(&error))?.len();
        let to = call.sink(handle, length)?;
        let verdict = call.blocking(move || to.copy_from(&mut file)).await?;
        match verdict {
            None => Ok(()),
            Some(verdict) => verdict.await.unwrap_or_else(|_| Err(CallFailure::gone())),
        }
    }

    /// Keeps the receipt; a job that failed is a call that failed.
    async fn conclude(&self, receipt: Receipt, reserved: &Reserved, call: &Call) -> CallResult<()> {
        let receipt = reserved.upload.names().receipt(receipt);
        call.shared.jobs.keep(receipt.clone()).await;
        match &receipt.failure {
            Some(failure) => Err(failed(failure)),
            None => {
                call.shared.log.driver("the medium and what was sent are equal".to_owned());
                Ok(())
            }
        }
    }
}

fn failed(failure: &Failure) -> CallFailure {
    let medium = failure.medium.map(|medium| format!("; medium: {medium}")).unwrap_or_default();
    let error = Error::new(failure.class, format!("{}{medium}", failure.cause));
    failure.help.iter().fold(error, |error, help| error.help(help.clone())).into()
}

/// The steps of a job in the exporter's log.
fn logged(call: &Call, what: &'static str) -> Arc<dyn Progress> {
    let log = Arc::clone(&call.shared);
    Arc::new(move |event| match event {
        Event::StepBegun { step } => log.log.driver(format!("{what}: {step}")),
        Event::Warning { message } => log.log.driver(format!("{what}: {message}")),
        _ => {}
    })
}

fn unwritten(error: &std::io::Error) -> CallFailure {
    CallFailure::io("keep", "what is sent", error)
}

/// A dump on its way to a client: a file of the job's own.
#[derive(Debug)]
struct DumpFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl DumpFile {
    fn new(path: PathBuf) -> std::io::Result<Self> {
        let file = Mutex::new(File::create_new(&path)?);
        Ok(Self { path, file })
    }

    fn with(&self, work: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut file).map_err(|error| {
            Error::infrastructure("the exporter cannot keep the dump").retryable(false).because(error)
        })
    }
}

impl DumpSink for DumpFile {
    fn label(&self) -> String {
        "a client of the exporter".to_owned()
    }

    fn begin(&self, _length: u64) -> Result<()> {
        self.with(|file| {
            file.set_len(0)?;
            file.rewind()
        })
    }

    fn take(&self, bytes: &[u8]) -> Result<()> {
        self.with(|file| file.write_all(bytes))
    }

    fn keep(&self) -> Result<()> {
        self.with(|file| file.flush())
    }
}
