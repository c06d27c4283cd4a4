//! Nothing is decided on the text of an error: a library may word it anew, and a caller would then do something else.
//!
//! Found are calls such as `error.to_string().contains("…")` and `error.description.starts_with("…")` outside tests.

use crate::finding::Finding;
use crate::sources::Source;
use anyhow::{Context, Result};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprMethodCall, ImplItemFn, ItemFn, ItemImpl, ItemMod, Member};

/// Methods that look for something in a text.
const SEARCHES: [&str; 9] = [
    "contains",
    "starts_with",
    "ends_with",
    "find",
    "rfind",
    "strip_prefix",
    "strip_suffix",
    "split_once",
    "matches",
];
/// Methods and fields that give the text of an error.
const TEXTS: [&str; 5] = ["to_string", "description", "message", "cause", "desc"];
/// Methods that give the same text in another form.
const FORMS: [&str; 7] =
    ["as_str", "as_ref", "trim", "to_lowercase", "to_ascii_lowercase", "to_owned", "clone"];
/// What variables that hold an error are called.
const ERRORS: [&str; 9] = ["e", "err", "error", "failure", "fault", "cause", "source", "refusal", "problem"];

/// All decisions on texts of errors.
pub(super) fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|it| !it.code.trim().is_empty()) {
        let file = syn::parse_file(&source.text).with_context(|| source.path.clone())?;
        let mut searches = Searches::default();
        searches.visit_file(&file);
        findings.extend(searches.lines.into_iter().map(|line| {
            let text = "decides on the text of an error: match its kind or variant, or give it one";
            Finding::on_line(&source.path, line, text)
        }));
    }
    Ok(findings)
}

/// The lines of searches in texts of errors.
#[derive(Default)]
struct Searches {
    lines: Vec<usize>,
}

impl<'ast> Visit<'ast> for Searches {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if SEARCHES.iter().any(|it| call.method == it) && is_text_of_error(&call.receiver) {
            self.lines.push(call.method.span().start().line);
        }
        visit::visit_expr_method_call(self, call);
    }
}

/// Whether an item is there for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    let is = |it: &Attribute| {
        let is_guard = it.path().is_ident("cfg")
            && it.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"));
        is_guard || it.path().is_ident("test")
    };
    attributes.iter().any(is)
}

fn is_text_of_error(text: &Expr) -> bool {
    let is_text = |name: &str| TEXTS.contains(&name);
    match text {
        Expr::MethodCall(call) if FORMS.iter().any(|it| call.method == it) => {
            is_text_of_error(&call.receiver)
        }
        Expr::MethodCall(call) => is_text(&call.method.to_string()) && is_error(&call.receiver),
        Expr::Field(field) => {
            matches!(&field.member, Member::Named(name) if is_text(&name.to_string()))
                && is_error(&field.base)
        }
        Expr::Reference(it) => is_text_of_error(&it.expr),
        Expr::Paren(it) => is_text_of_error(&it.expr),
        _ => false,
    }
}

/// Whether an expression is called as an error is: a variable, a field, or the last of several.
fn is_error(holder: &Expr) -> bool {
    let is_name = |name: &str| ERRORS.contains(&name) || name.ends_with("_error") || name.ends_with("_err");
    match holder {
        Expr::Path(path) => path.path.get_ident().is_some_and(|it| is_name(&it.to_string())),
        Expr::Field(field) => matches!(&field.member, Member::Named(name) if is_name(&name.to_string())),
        Expr::MethodCall(call) => is_name(&call.method.to_string()) || is_error(&call.receiver),
        Expr::Reference(it) => is_error(&it.expr),
        Expr::Paren(it) => is_error(&it.expr),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, body: &str) -> Vec<String> {
        let text = format!("//! A.\n{body}\n");
        let findings = check(&[Source::new(path, text)]).unwrap();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_decision_on_the_text_of_an_error_is_found() {
        for decision in [
            "error.to_string().contains(\"x\")",
            "error.description.contains(\"x\")",
            "e.to_string().to_lowercase().starts_with(\"x\")",
            "(&self.error).message().find('x')",
            "io_error.to_string().as_str().split_once(\": \")",
            "error.source().to_string().ends_with(\"x\")",
        ] {
            let expected = "crates/a/src/lib.rs:2: decides on the text of an error: match its kind or variant, or give it one";
            assert_eq!(found("crates/a/src/lib.rs", &format!("fn f() {{ {decision}; }}")), [expected]);
        }
    }

    #[test]
    fn other_searches_and_tests_may_stay() {
        for body in [
            "fn f() { word.to_string().contains(\"x\"); kinds.contains(&error.kind()); }",
            "fn f() { answer.contains(\"x\"); error.kind().to_string(); line.find(\"error\"); }",
            "#[cfg(test)] mod tests { fn f() { error.to_string().contains(\"x\"); } }",
            "#[test] fn f() { error.to_string().contains(\"x\"); }",
        ] {
            assert_eq!(found("crates/a/src/lib.rs", body), [""; 0], "{body}");
        }
        assert_eq!(found("crates/a/tests/x.rs", "fn f() { error.to_string().contains(\"x\"); }"), [""; 0]);
    }
}
