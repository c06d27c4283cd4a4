//! A flasher: what clients that drive the board themselves ask of it, and our own transaction for those that know it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::owner;
use flasher_core::{Description, Flasher, async_trait};
use prost_types::Value;
use tonic::Code;

use super::order_data::{dump_stream, sent};
use super::{Args, Call, Capability, Method, Param, Shape, unanswered};
use crate::claims::{Claim, ClaimRequest};
use crate::failure::{CallFailure, CallResult};
use crate::jobs::{JobBoard, JobStart, PlanStart, Task};
use crate::order::{DumpOrder, JobOrder};
use crate::results::Results;
use crate::storage::Storage;
use crate::storage::files::short;
use crate::value;

/// Largest CA file handed to a client, bytes.
const LARGEST_CA: u64 = 1024 * 1024;

pub(super) const METHODS: &[Method] = &[
    Method::call("get_default_target", &[], "the config's target, or null"),
    Method::call("get_cacert", &[], "the config's CA as PEM, or null"),
    Method::call(
        "setup_flasher_bundle",
        &[Param::optional("force_flash_bundle", Shape::Text)],
        "nothing, once the boot files are in the TFTP folder",
    ),
    Method::call("use_dtb_variant", &[Param::needed("variant", Shape::Text)], "nothing"),
    Method::call("set_dtb", &[Param::optional("handle", Shape::Handle)], "an error, as from Jumpstarter"),
    Method::call("get_flasher_manifest_yaml", &[], "the bundle's manifest, as written"),
    Method::call("get_kernel_filename", &[], "the name it is served under"),
    Method::call("get_initram_filename", &[], "the name it is served under, or null"),
    Method::call("get_dtb_filename", &[], "the name it is served under, or nothing"),
    Method::call("get_kernel_address", &[], "where it is loaded, `0x…`"),
    Method::call("get_initram_address", &[], "where it is loaded, or null"),
    Method::call("get_dtb_address", &[], "where it is loaded, or null"),
    Method::call("get_bootcmd", &[], "the boot command of the variant in use"),
    FLASH_JOB,
];

/// Ours; Python clients do not see it.
pub(super) const FLASH_JOB: Method = Method::results(
    "flash_job",
    &[
        Param::needed("action", Shape::OneOf(&["start", "plan", "dump", "attach", "cancel"])),
        Param::optional("order", Shape::Text),
        Param::optional("files", Shape::Handle),
    ],
    "events as JSON texts, the last one with the receipt or the plan; `order` is JSON for `start`, `plan` and `dump`, `files` the stream of its files, or of what is dumped",
);

/// A flasher for clients.
#[derive(Debug)]
pub(crate) struct Flash {
    pub(super) flasher: Arc<dyn Flasher>,
    /// Who runs jobs here.
    pub(super) site: Site,
    /// The flasher itself and everything it uses.
    pub(super) wanted: Vec<ClaimRequest>,
    /// What it is to other processes.
    pub(super) owner: owner::Board,
    tftp: Option<Arc<Storage>>,
    /// Describing hashes the bundle, and a client asks for one field at a time.
    described: Mutex<Option<Description>>,
}

impl Flash {
    pub(crate) fn new(
        flasher: Arc<dyn Flasher>,
        site: Site,
        wanted: Vec<ClaimRequest>,
        owner: owner::Board,
        tftp: Option<Arc<Storage>>,
    ) -> Self {
        Self { flasher, site, wanted, owner, tftp, described: Mutex::default() }
    }

    async fn describe(&self) -> CallResult<Description> {
        let known = self.described().clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let description = self.flasher.required_bundle()?.describe().await?;
        *self.described() = Some(description.clone());
        Ok(description)
    }

    fn described(&self) -> MutexGuard<'_, Option<Description>> {
        self.described.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stages the boot files; those of an earlier variant stay until the exporter ends.
    async fn set_up(&self, bundle: Option<String>, call: &Call) -> CallResult<()> {
        self.free(call)?;
        if let Some(bundle) = &bundle {
            check_registry(bundle, &call.fetch_rules(), self.flasher.defaults().registry.as_deref())?;
        }
        *self.described() = None;
        let staged = self.flasher.required_bundle()?.set_up(bundle).await?;
        if let Some(tftp) = &self.tftp {
            staged.iter().for_each(|file| tftp.made(file));
        }
        call.shared.log.driver(format!("{} boot files are in the TFTP folder", staged.len()));
        Ok(())
    }

    async fn use_variant(&self, variant: &str, call: &Call) -> CallResult<()> {
        self.free(call)?;
        *self.described() = None;
        self.flasher.required_bundle()?.use_variant(Some(variant.to_owned())).await.map_err(|mut error| {
            if error.next_step().is_none() {
                error = error.help(format!("`{}` names no variant of this bundle", short(variant)));
            }
            error.into()
        })
    }

    /// Starts a job for a client, and follows it.
    fn start(&self, task: Task, claim: Claim, call: &Call) -> Results {
        let board =
            JobBoard { node: call.owner.node, site: &self.site, flasher: &self.flasher, owner: &self.owner };
        *self.described() = None;
        let what = match task {
            Task::Flash { .. } => "flash",
            Task::Dump { .. } => "dump",
        };
        call.shared.log.system(format!("{what} job started"));
        call.shared.jobs.start(board, JobStart { task, fetch: call.fetch_rules(), claim })
    }

    /// No other client of this exporter has the board.
    pub(super) fn free(&self, call: &Call) -> CallResult<()> {
        self.wanted.iter().try_for_each(|it| call.shared.claims.free_for(*it, call.owner.connection))
    }

    async fn cacert(&self) -> CallResult<Value> {
        let Some(file) = self.flasher.defaults().cacert else { return Ok(value::null()) };
        let name = file.display().to_string();
        let failed = |error| CallFailure::io("read", &name, &error);
        let length = tokio::fs::metadata(&file).await.map_err(failed)?.len();
        if length > LARGEST_CA {
            return Err(CallFailure::new(
                Code::Internal,
                format!("`{name}` has {length} bytes, too many for a CA"),
            ));
        }
        tokio::fs::read_to_string(&file).await.map(value::text).map_err(failed)
    }
}

/// The boot command with the sizes of the files in it, hexadecimal: our flasher sets them in U-Boot, clients do not.
fn bootcmd(described: &Description) -> String {
    let files = [
        ("${kernel_size}", Some(&described.kernel)),
        ("${initram_size}", described.initram.as_ref()),
        ("${dtb_size}", described.dtb.as_ref()),
    ];
    files.into_iter().fold(described.bootcmd.clone(), |command, (name, file)| {
        file.map_or_else(|| command.clone(), |file| command.replace(name, &format!("{:x}", file.length)))
    })
}

/// Refuses a bundle of a registry that clients may not have asked. What is no reference is refused by the flasher, which names
/// the form.
fn check_registry(bundle: &str, rules: &FetchRules, own: Option<&str>) -> CallResult<()> {
    let name = bundle.strip_prefix("oci://").unwrap_or(bundle);
    let Some((registry, _)) = name.split_once('/').filter(|(registry, _)| !registry.is_empty()) else {
        return Ok(());
    };
    // What stands before an `@` may be a password.
    let host = short(registry.rsplit('@').next().unwrap_or_default());
    rules.check_registry(&host, own).map_err(|reason| {
        let next = format!("start the exporter with `flasher serve --fetch-registry {host}`");
        CallFailure::new(Code::PermissionDenied, format!("{reason}; {next}"))
    })
}

#[async_trait]
impl Capability for Flash {
    fn client(&self) -> &str {
        "jumpstarter_driver_flashers.client.BaseFlasherClient"
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    async fn call(&self, method: &str, args: Args, call: &Call) -> CallResult<Value> {
        match method {
            "get_default_target" => return Ok(value::text_or_null(self.flasher.defaults().target)),
            "get_cacert" => return self.cacert().await,
            "setup_flasher_bundle" => {
                let bundle = args.optional_text(0).map(str::to_owned);
                return self.set_up(bundle, call).await.map(|()| value::null());
            }
            "use_dtb_variant" => return self.use_variant(args.text(0)?, call).await.map(|()| value::null()),
            "set_dtb" => return Err(CallFailure::new(Code::Unimplemented, "`set_dtb` is not supported")),
            "get_flasher_manifest_yaml" => {
                return Ok(value::text(self.flasher.required_bundle()?.manifest().await?));
            }
            _ => {}
        }
        let described = self.describe().await?;
        if method == "get_bootcmd" {
            return Ok(value::text(bootcmd(&described)));
        }
        let Description { kernel, initram, dtb, .. } = described;
        Ok(match method {
            "get_kernel_filename" => value::text(kernel.name),
            "get_initram_filename" => value::text_or_null(initram.map(|file| file.name)),
            "get_dtb_filename" => value::text(dtb.map(|file| file.name).unwrap_or_default()),
            "get_kernel_address" => value::text(kernel.address),
            "get_initram_address" => value::text_or_null(initram.map(|file| file.address)),
            "get_dtb_address" => value::text_or_null(dtb.map(|file| file.address)),
            other => return Err(unanswered(other)),
        })
    }

    async fn results(&self, method: &str, mut args: Args, call: &Call) -> CallResult<Results> {
        if method != "flash_job" {
            return Err(unanswered(method));
        }
        let order = args.optional_text(1).unwrap_or_default().to_owned();
        let claim = |what| call.shared.claims.try_take(&self.wanted, what, &call.connection.peer, None);
        match args.text(0)? {
            "start" => {
                let order = Box::new(JobOrder::parse(&order).map_err(CallFailure::argument)?);
                let sent = sent(&order, &mut args, call)?;
                let claim = claim("a flash job")?;
                Ok(self.start(Task::Flash { order, sent }, claim, call))
            }
            "plan" => {
                let order = JobOrder::parse(&order).map_err(CallFailure::argument)?;
                let sent = sent(&order, &mut args, call)?;
                let (claim, site) = (claim("a plan")?, self.site.clone());
                *self.described() = None;
                let start = PlanStart { site, sent, fetch: call.fetch_rules(), claim };
                Ok(call.shared.jobs.plan(&self.flasher, order, start))
            }
            "dump" => {
                let order = DumpOrder::parse(&order).map_err(CallFailure::argument)?;
                let stream = dump_stream(&mut args, call)?;
                let claim = claim("a dump job")?;
                Ok(self.start(Task::Dump { order, stream }, claim, call))
            }
            "cancel" => call.shared.jobs.cancel(call.owner.node),
            _ => call.shared.jobs.attach(call.owner.node),
        }
    }
}

#[cfg(test)]
mod tests {
    use flasher_core::BootFile;

    use super::*;

    #[test]
    fn boot_command_without_variables() {
        let file =
            |length| BootFile { file: String::new(), name: String::new(), address: String::new(), length };
        let check = |command: &str, expected: &str| {
            let described = Description {
                board: String::new(),
                targets: [].into(),
                default_target: String::new(),
                variants: Vec::new(),
                variant: None,
                kernel: file(16),
                initram: Some(file(0xabcd)),
                dtb: None,
                bootcmd: command.to_owned(),
                bundle_sha256: String::new(),
            };
            assert_eq!(bootcmd(&described), expected);
        };
        check("booti 0x1 0x2:${initram_size} ${fdt}", "booti 0x1 0x2:abcd ${fdt}");
        check("a ${kernel_size} ${kernel_size} ${dtb_size}", "a 10 10 ${dtb_size}");
        check("bootm", "bootm");
    }

    #[test]
    fn a_client_names_bundles_of_known_registries() {
        let rules = FetchRules { registries: vec!["reg.lab:5000".into()], ..FetchRules::default() };
        let check = |bundle: &str| check_registry(bundle, &rules, Some("ghcr.io")).map_err(|it| it.text);
        for bundle in ["quay.io/a/b:v1", "oci://ghcr.io/a/b", "reg.lab:5000/a/b@sha256:00", "none", "/etc"] {
            assert_eq!(check(bundle), Ok(()), "{bundle}");
        }
        for (bundle, host) in [
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000"),
            ("oci://user:secret@evil.example/a", "evil.example"),
            ("169.254.169.254/latest/meta-data", "169.254.169.254"),
        ] {
            let said = format!(
                "`{host}` is no registry that bundles are fetched from here; start the exporter with `flasher serve --fetch-registry {host}`"
            );
            assert_eq!(check(bundle), Err(said), "{bundle}");
        }
    }
}
