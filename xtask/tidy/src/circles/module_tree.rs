//! The modules of a crate, file by file, and which file defines what another names.

use super::syntax::{self, Declared, Module, Named};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// How many imports are followed from one to the next before a name counts as unknown.
const MOST_IMPORTS: usize = 16;

/// A file that names an item of another.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) file: String,
    pub(super) used: String,
    /// Where in `file`, from 1.
    line: usize,
    /// As it is written there.
    pub(super) path: String,
}

impl Use {
    /// `file:line`
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

/// All modules of a library or a program. The first is its root.
#[derive(Debug, Default)]
pub(super) struct ModuleTree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    module: Module,
}

/// What a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

impl ModuleTree {
    /// Reads a crate from its root file on. `texts` are all files by their paths.
    ///
    /// # Errors
    /// When a file is no Rust, or a declared module has no file.
    pub(super) fn read(root: &str, texts: &BTreeMap<&str, &str>) -> Result<Self> {
        let mut tree = Self::default();
        let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
        tree.file(root, folder, None, texts)?;
        Ok(tree)
    }

    /// Every use of one file by another, sorted.
    pub(super) fn uses(&self) -> BTreeSet<Use> {
        (0..self.nodes.len()).flat_map(|it| self.uses_of(it)).collect()
    }

    /// Adds a file with the modules in it and below it; those lie in `folder`.
    fn file(
        &mut self,
        path: &str,
        folder: &str,
        parent: Option<usize>,
        texts: &BTreeMap<&str, &str>,
    ) -> Result<usize> {
        let text = texts.get(path).with_context(|| format!("{path} is not there"))?;
        let module = syntax::parse(text).with_context(|| format!("{path} cannot be parsed"))?;
        self.module(module, path, folder, parent, texts)
    }

    fn module(
        &mut self,
        mut module: Module,
        file: &str,
        folder: &str,
        parent: Option<usize>,
        texts: &BTreeMap<&str, &str>,
    ) -> Result<usize> {
        let (inline, declared) = (std::mem::take(&mut module.inline), std::mem::take(&mut module.declared));
        let id = self.nodes.len();
        self.nodes.push(Node { file: file.to_owned(), parent, children: BTreeMap::new(), module });
        for (name, module) in inline {
            let child = self.module(module, file, &format!("{folder}/{name}"), Some(id), texts)?;
            self.nodes[id].children.insert(name, child);
        }
        for it in declared {
            let path = file_of(&it, file, folder, texts)?;
            let child = self.file(&path, &format!("{folder}/{}", it.name), Some(id), texts)?;
            self.nodes[id].children.insert(it.name, child);
        }
        Ok(id)
    }

    fn uses_of(&self, id: usize) -> Vec<Use> {
        let module = &self.nodes[id].module;
        let imported = module.imports.iter().filter(|it| !it.is_export && it.name.is_some());
        let named = module.named.iter().chain(imported.map(|it| &it.target));
        named.flat_map(|it| self.uses_by(id, it)).collect()
    }

    fn uses_by(&self, id: usize, named: &Named) -> Vec<Use> {
        let file = &self.nodes[id].file;
        let used = self.resolve(id, &named.path, 0).into_iter().filter_map(|it| match it {
            Target::Item(owner) => Some(&self.nodes[owner].file),
            Target::Module(_) => None,
        });
        used.filter(|it| *it != file)
            .map(|used| Use {
                file: file.clone(),
                used: used.clone(),
                line: named.line,
                path: named.path.join("::"),
            })
            .collect()
    }

    /// What a path means in a module: several things when modules, types and functions share a name.
    fn resolve(&self, from: usize, path: &[String], imports: usize) -> BTreeSet<Target> {
        let Some((first, rest)) = path.split_first() else { return BTreeSet::new() };
        let mut found = match first.as_str() {
            "crate" | "$crate" => [Target::Module(self.root_of(from))].into(),
            "self" => [Target::Module(from)].into(),
            "super" => self.nodes[from].parent.map(Target::Module).into_iter().collect(),
            name => self.lookup(from, name, imports),
        };
        for name in rest {
            // What is named inside of an item (a variant, a function of a type) is the item's.
            found = found
                .into_iter()
                .flat_map(|it| match it {
                    Target::Module(id) if name == "super" => {
                        self.nodes[id].parent.map(Target::Module).into_iter().collect()
                    }
                    Target::Module(id) => self.lookup(id, name, imports),
                    Target::Item(_) => [it].into(),
                })
                .collect();
        }
        found
    }

    fn lookup(&self, id: usize, name: &str, imports: usize) -> BTreeSet<Target> {
        let Node { children, module, .. } = &self.nodes[id];
        let mut found: BTreeSet<_> = children.get(name).map(|it| Target::Module(*it)).into_iter().collect();
        if module.items.iter().any(|it| it == name) {
            found.insert(Target::Item(id));
        }
        if imports == MOST_IMPORTS {
            return found;
        }
        for import in module.imports.iter().filter(|it| it.name.as_deref() == Some(name)) {
            found.extend(self.resolve(id, &import.target.path, imports + 1));
        }
        if found.is_empty() {
            for glob in module.imports.iter().filter(|it| it.name.is_none()) {
                for target in self.resolve(id, &glob.target.path, imports + 1) {
                    if let Target::Module(of) = target {
                        found.extend(self.lookup(of, name, imports + 1));
                    }
                }
            }
        }
        found
    }

    fn root_of(&self, mut id: usize) -> usize {
        while let Some(parent) = self.nodes[id].parent {
            id = parent;
        }
        id
    }
}

/// The file of a module that `file` declares, whose modules lie in `folder`.
fn file_of(declared: &Declared, file: &str, folder: &str, texts: &BTreeMap<&str, &str>) -> Result<String> {
    let Declared { name, path } = declared;
    let candidates = match path {
        Some(path) => {
            let beside = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            vec![format!("{beside}/{path}")]
        }
        None => vec![format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")],
    };
    let found = candidates.into_iter().find(|it| texts.contains_key(it.as_str()));
    found.with_context(|| format!("{file} declares the module `{name}`, which has no file"))
}
