//! BaseFlasher's bundle: what it boots, for clients and for *resolve*.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bundle_store::{Bundle, Files};
use flasher_core::{BootFile, Description, FlasherBundle, Pinned, Result, async_trait};

use crate::blocking::blocking;
use crate::flasher::{BaseFlasher, locked};
use crate::step::plan;
use crate::trouble;

#[async_trait]
impl FlasherBundle for BaseFlasher {
    async fn describe(&self) -> Result<Description> {
        let failed = match self.described().await {
            Ok(description) => return Ok(description),
            Err(error) => error,
        };
        // Where a file in the cache was damaged without a trace, looking closer removes it and brings it again.
        let (config, found) = self.source();
        match found.distrust(&config, &self.folder).await? {
            true => self.described().await,
            false => Err(failed),
        }
    }

    async fn use_variant(&self, variant: Option<String>) -> Result<()> {
        if variant.is_some() {
            let bundle = self.bundle().await?;
            bundle.manifest().boot(variant.as_deref()).map_err(|error| trouble::bundle(&error))?;
        }
        *locked(&self.variant) = variant.or_else(|| self.config.variant.clone());
        Ok(())
    }

    async fn lock_bundle(&self) -> Result<Option<Pinned>> {
        self.found.lock(&self.config, &self.folder).await
    }

    async fn set_up(&self, bundle: Option<String>) -> Result<Vec<PathBuf>> {
        if let Some(reference) = bundle {
            self.force(&reference).await?;
        }
        self.stage().await
    }

    async fn manifest(&self) -> Result<String> {
        Ok(self.bundle().await?.manifest_text().to_owned())
    }
}

impl BaseFlasher {
    async fn described(&self) -> Result<Description> {
        let bundle = self.bundle().await?;
        let variant = self.variant();
        let target = self.target(&bundle, None)?.0;
        blocking(move || {
            plan::expected_by(bundle.manifest())?;
            let files = bundle.files(variant.as_deref()).map_err(|error| trouble::bundle(&error))?;
            let digest = bundle.digest().map_err(|error| trouble::bundle(&error))?;
            Ok(description(&bundle, &files, target, digest.to_string()))
        })
        .await
    }
}

fn description(bundle: &Bundle, files: &Files, default_target: String, bundle_sha256: String) -> Description {
    let manifest = bundle.manifest();
    let targets: BTreeMap<_, _> =
        manifest.spec.targets.iter().map(|(name, device)| (name.to_owned(), device.to_owned())).collect();
    let dir = bundle.dir();
    let file = |file: &bundle_store::File| BootFile {
        file: file.path.strip_prefix(dir).unwrap_or(&file.path).display().to_string(),
        name: file.name.clone(),
        address: format!("{:#x}", file.address),
        length: file.length,
    };
    Description {
        board: manifest.metadata.name.clone(),
        targets,
        default_target,
        variants: manifest.variants().into_iter().map(str::to_owned).collect(),
        variant: files.variant.clone(),
        kernel: file(&files.kernel),
        initram: files.initram.as_ref().map(file),
        dtb: files.dtb.as_ref().map(file),
        bootcmd: files.bootcmd.clone(),
        bundle_sha256,
    }
}
