//! Tables of methods: names, parameters and results, and arguments checked against them.

use prost_types::Value;
use tonic::Code;

use crate::failure::{CallFailure, CallResult};
use crate::resource::Handle;
use crate::value;

/// One exported method.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) params: &'static [Param],
    /// What it gives, in a few words.
    pub(crate) gives: &'static str,
}

/// How a method is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One result.
    Call,
    /// Results as they come.
    Results,
    /// A byte stream.
    Bytes,
}

impl Kind {
    /// Jumpstarter's name for it, which its messages have.
    fn marker(self) -> &'static str {
        match self {
            Self::Call => "marker_drivercall",
            Self::Results => "marker_streamingdrivercall",
            Self::Bytes => "marker_streamcall",
        }
    }
}

/// One parameter. All arguments go by position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// May be left out or null.
    pub(crate) optional: bool,
}

/// What an argument has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A whole number.
    Whole,
    /// A truth value.
    Flag,
    /// A handle of a resource.
    Handle,
}

impl Method {
    pub(crate) const fn call(name: &'static str, params: &'static [Param], gives: &'static str) -> Self {
        Self { name, kind: Kind::Call, params, gives }
    }

    pub(crate) const fn results(name: &'static str, params: &'static [Param], gives: &'static str) -> Self {
        Self { name, kind: Kind::Results, params, gives }
    }

    pub(crate) const fn bytes(name: &'static str) -> Self {
        Self { name, kind: Kind::Bytes, params: &[], gives: "bytes both ways" }
    }
}

impl Param {
    pub(crate) const fn needed(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, optional: false }
    }

    pub(crate) const fn optional(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, optional: true }
    }
}

/// Arguments of a call, as its table wants them.
#[derive(Debug)]
pub(crate) struct Args(Vec<Option<Arg>>);

#[derive(Debug)]
enum Arg {
    Text(String),
    Whole(i64),
    Flag(bool),
    Handle(Handle),
}

impl Args {
    /// The text at `index`.
    pub(crate) fn text(&self, index: usize) -> CallResult<&str> {
        self.optional_text(index).ok_or_else(|| missing(index))
    }

    /// The text at `index`, when it was given.
    pub(crate) fn optional_text(&self, index: usize) -> Option<&str> {
        match self.0.get(index) {
            Some(Some(Arg::Text(text))) => Some(text),
            _ => None,
        }
    }

    /// The whole number at `index`, when it was given.
    pub(crate) fn whole(&self, index: usize) -> Option<i64> {
        match self.0.get(index) {
            Some(Some(Arg::Whole(number))) => Some(*number),
            _ => None,
        }
    }

    /// The truth value at `index`.
    pub(crate) fn flag(&self, index: usize) -> CallResult<bool> {
        match self.0.get(index) {
            Some(Some(Arg::Flag(yes))) => Ok(*yes),
            _ => Err(missing(index)),
        }
    }

    /// The handle at `index`, which can be used once.
    pub(crate) fn handle(&mut self, index: usize) -> CallResult<Handle> {
        match self.0.get_mut(index).map(Option::take) {
            Some(Some(Arg::Handle(handle))) => Ok(handle),
            _ => Err(missing(index)),
        }
    }
}

fn missing(index: usize) -> CallFailure {
    CallFailure::argument(format!("argument {} is missing", index + 1))
}

/// The method `name`, which has to be of this kind.
///
/// # Errors
/// NOT_FOUND, with Jumpstarter's texts.
pub(crate) fn find(methods: &'static [Method], name: &str, kind: Kind) -> CallResult<&'static Method> {
    let shown = crate::storage::files::short(name);
    let found = methods.iter().find(|method| method.name == name);
    let method = found
        .ok_or_else(|| CallFailure::new(Code::NotFound, format!("method {shown} not found on driver")))?;
    if method.kind == kind {
        return Ok(method);
    }
    Err(CallFailure::new(Code::NotFound, format!("method {shown} missing marker {}", kind.marker())))
}

/// Arguments checked against the method's parameters.
///
/// # Errors
/// INVALID_ARGUMENT that names the argument and what was expected.
pub(crate) fn check(method: &Method, values: &[Value]) -> CallResult<Args> {
    if values.len() > method.params.len() {
        let (most, given) = (method.params.len(), values.len());
        return Err(CallFailure::argument(format!(
            "`{}` takes {most} arguments, {given} were given",
            method.name
        )));
    }
    let pair = |(index, param)| one(method, param, values.get(index));
    method.params.iter().enumerate().map(pair).collect::<CallResult<_>>().map(Args)
}

fn one(method: &Method, param: &Param, value: Option<&Value>) -> CallResult<Option<Arg>> {
    let Some(value) = value.filter(|value| !value::is_null(value)) else {
        return match param.optional {
            true => Ok(None),
            false => {
                Err(CallFailure::argument(format!("`{}` needs the argument `{}`", method.name, param.name)))
            }
        };
    };
    let wrong = |expected: &str| {
        let (name, found) = (param.name, value::describe(value));
        CallFailure::argument(format!(
            "the argument `{name}` of `{}`: expected {expected}, found {found}",
            method.name
        ))
    };
    let arg = match param.shape {
        Shape::Text => {
            let text = value::as_text(value).ok_or_else(|| wrong("text"))?;
            if text.len() > value::LONGEST_TEXT {
                return Err(wrong("text of at most 64 KiB"));
            }
            Arg::Text(text.to_owned())
        }
        Shape::OneOf(texts) => {
            let text = value::as_text(value).filter(|text| texts.contains(text));
            Arg::Text(text.ok_or_else(|| wrong(&format!("one of `{}`", texts.join("`, `"))))?.to_owned())
        }
        Shape::Whole => Arg::Whole(value::as_whole(value).ok_or_else(|| wrong("a whole number"))?),
        Shape::Flag => Arg::Flag(value::as_flag(value).ok_or_else(|| wrong("a truth value"))?),
        Shape::Handle => Arg::Handle(Handle::parse(value)?),
    };
    Ok(Some(arg))
}

#[cfg(test)]
mod tests {
    use super::*;

    static SEEK: Method = Method::call(
        "seek",
        &[
            Param::needed("fd", Shape::Text),
            Param::needed("pos", Shape::Whole),
            Param::optional("from", Shape::OneOf(&["start", "end"])),
        ],
        "where it is then",
    );

    #[test]
    fn arguments_that_fit_are_taken() {
        let args = check(&SEEK, &[value::text("x"), value::count(7), value::null()]).unwrap();
        assert_eq!((args.text(0).unwrap(), args.whole(1), args.optional_text(2)), ("x", Some(7), None));
        let args = check(&SEEK, &[value::text("x"), value::count(7), value::text("end")]).unwrap();
        assert_eq!(args.text(2).unwrap(), "end");
    }

    #[test]
    fn arguments_that_do_not_fit_are_named() {
        let huge = value::text("x".repeat(value::LONGEST_TEXT + 1));
        let cases: [(&[Value], &str); 8] = [
            (&[], "`seek` needs the argument `fd`"),
            (&[value::null()], "`seek` needs the argument `fd`"),
            (&[value::count(1)], "the argument `fd` of `seek`: expected text, found a number"),
            (&[huge], "the argument `fd` of `seek`: expected text of at most 64 KiB, found text"),
            (
                &[value::text("x"), value::number(1e300)],
                "the argument `pos` of `seek`: expected a whole number, found a number",
            ),
            (
                &[value::text("x"), value::list([])],
                "the argument `pos` of `seek`: expected a whole number, found a list",
            ),
            (
                &[value::text("x"), value::count(1), value::text("middle")],
                "the argument `from` of `seek`: expected one of `start`, `end`, found text",
            ),
            (
                &[value::null(), value::null(), value::null(), value::null()],
                "`seek` takes 3 arguments, 4 were given",
            ),
        ];
        for (values, text) in cases {
            assert_eq!(check(&SEEK, values).unwrap_err(), CallFailure::argument(text));
        }
    }

    #[test]
    fn a_method_is_found_by_name_and_kind_with_jumpstarters_words() {
        static METHODS: &[Method] = &[Method::call("on", &[], "nothing"), Method::bytes("connect")];
        assert_eq!(find(METHODS, "on", Kind::Call).unwrap().name, "on");
        let cases = [
            ("nope", Kind::Call, "method nope not found on driver"),
            ("connect", Kind::Call, "method connect missing marker marker_drivercall"),
            ("on", Kind::Results, "method on missing marker marker_streamingdrivercall"),
            ("on", Kind::Bytes, "method on missing marker marker_streamcall"),
        ];
        for (name, kind, text) in cases {
            assert_eq!(find(METHODS, name, kind).unwrap_err(), CallFailure::new(Code::NotFound, text));
        }
    }
}
