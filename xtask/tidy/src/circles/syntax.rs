//! What one Rust file says of modules: what it defines, imports and names.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItem, Item, ItemMod, ItemUse, Meta, UseTree, Visibility};

/// A module, and those that are written inside of it.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) imports: Vec<Import>,
    /// Names of functions, types, constants, traits and macros.
    pub(super) items: Vec<String>,
    pub(super) named: Vec<Named>,
    pub(super) inline: Vec<(String, Module)>,
    pub(super) declared: Vec<Declared>,
}

/// One name that `use` brings.
#[derive(Debug)]
pub(super) struct Import {
    /// What it is called here; none for a glob.
    pub(super) name: Option<String>,
    pub(super) target: Named,
    /// Whether others see it too (`pub use`).
    pub(super) is_export: bool,
}

/// A path, and the line on which it stands, from 1.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
}

/// `mod name;`
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    /// The value of its `#[path]`.
    pub(super) path: Option<String>,
}

/// Reads a file, without its tests.
///
/// # Errors
/// When it is no Rust.
pub(super) fn parse(text: &str) -> syn::Result<Module> {
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(text)?);
    Ok(reader.module)
}

/// Walks through a file; `module` is the innermost one it is in.
#[derive(Default)]
struct Reader {
    module: Module,
}

impl Reader {
    fn import(&mut self, tree: &UseTree, prefix: &mut Vec<String>, is_export: bool) {
        let (name, ident) = match tree {
            UseTree::Path(it) => {
                prefix.push(it.ident.to_string());
                self.import(&it.tree, prefix, is_export);
                prefix.pop();
                return;
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|it| self.import(it, prefix, is_export));
                return;
            }
            UseTree::Name(it) if it.ident == "self" => (prefix.last().cloned(), None),
            UseTree::Name(it) => (Some(it.ident.to_string()), Some(&it.ident)),
            UseTree::Rename(it) if it.ident == "self" => (Some(it.rename.to_string()), None),
            UseTree::Rename(it) => (Some(it.rename.to_string()), Some(&it.ident)),
            UseTree::Glob(_) => (None, None),
        };
        let path = prefix.iter().cloned().chain(ident.map(ToString::to_string)).collect();
        let line = syn::spanned::Spanned::span(tree).start().line;
        self.module.imports.push(Import { name, target: Named { path, line }, is_export });
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<proc_macro2::Ident> = Vec::new();
        // How many colons stand before the next token, and whether it belongs to something that is no path.
        let (mut colons, mut is_member) = (0, false);
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 && !path.is_empty() => path.push(ident),
                TokenTree::Ident(ident) if colons != 2 && !is_member => {
                    self.end_of_path(&mut path);
                    path.push(ident);
                }
                TokenTree::Punct(it) if it.as_char() == ':' && colons < 2 => {
                    colons += 1;
                    continue;
                }
                TokenTree::Punct(it) => {
                    self.end_of_path(&mut path);
                    (colons, is_member) = (0, it.as_char() == '.');
                    continue;
                }
                TokenTree::Group(group) => {
                    self.end_of_path(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Ident(_) | TokenTree::Literal(_) => self.end_of_path(&mut path),
            }
            (colons, is_member) = (0, false);
        }
        self.end_of_path(&mut path);
    }

    fn end_of_path(&mut self, path: &mut Vec<proc_macro2::Ident>) {
        if let Some(first) = path.first() {
            let line = first.span().start().line;
            self.module.named.push(Named { path: path.drain(..).map(|it| it.to_string()).collect(), line });
        }
    }

    /// Paths that derives read out of strings, as in `#[serde(with = "crate::seconds")]`.
    fn strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.strings(group.stream()),
                TokenTree::Literal(literal) => {
                    let line = literal.span().start().line;
                    let path = syn::parse2::<syn::LitStr>(TokenTree::Literal(literal).into())
                        .and_then(|it| it.parse::<syn::Path>());
                    if let Ok(path) = path.map(|it| segments(&it)) {
                        self.module.named.push(Named { path, line });
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }

    fn inner(&mut self, item: &ItemMod) {
        let name = item.ident.to_string();
        if item.content.is_none() {
            return self.module.declared.push(Declared { name, path: path_of(&item.attrs) });
        }
        let outer = std::mem::take(&mut self.module);
        visit::visit_item_mod(self, item);
        let inner = std::mem::replace(&mut self.module, outer);
        self.module.inline.push((name, inner));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        if attributes(item).iter().any(is_test) {
            return;
        }
        self.module.items.extend(name(item));
        match item {
            Item::Mod(item) => self.inner(item),
            Item::Macro(item) => self.tokens(item.mac.tokens.clone()),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let of_tests = matches!(item, ImplItem::Fn(it) if it.attrs.iter().any(is_test));
        if !of_tests {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_export = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, &mut Vec::new(), is_export);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            let line = syn::spanned::Spanned::span(path).start().line;
            self.module.named.push(Named { path: segments(path), line });
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        visit::visit_macro(self, mac);
        self.tokens(mac.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.strings(list.tokens.clone());
        }
    }

    /// `pub(in crate::step)` names a module and uses nothing of it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|it| it.ident.to_string()).collect()
}

/// Whether an attribute keeps something for tests alone: `#[cfg(test)]`, `#[cfg(all(test, …))]`.
fn is_test(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    let tokens = list.tokens.to_string();
    let condition =
        tokens.strip_prefix("all").map_or(tokens.as_str(), |it| it.trim_start_matches([' ', '(']));
    list.path.is_ident("cfg") && condition.split([' ', ',', ')']).next() == Some("test")
}

fn path_of(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|it| match &it.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::ExternCrate(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::ForeignMod(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::TraitAlias(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Union(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

/// The name an item is found under; modules and imports are kept apart.
fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(it) => &it.ident,
        Item::Enum(it) => &it.ident,
        Item::Fn(it) => &it.sig.ident,
        Item::Macro(it) => it.ident.as_ref()?,
        Item::Static(it) => &it.ident,
        Item::Struct(it) => &it.ident,
        Item::Trait(it) => &it.ident,
        Item::TraitAlias(it) => &it.ident,
        Item::Type(it) => &it.ident,
        Item::Union(it) => &it.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
