//! The model: what must be true of every flash, whatever went wrong. It looks from outside, and knows nothing of how the
//! program works.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::case::{Case, Effect};
use crate::cause::{allows, class_of, ended, names};
use crate::content::Contents;
use crate::content::hex;
use crate::medium::{Images, holds_any, wrong_statement};
use crate::observation::Observation;
use crate::roots::{self, RootFound};

/// What kind of thing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokenRule {
    FalseSuccess,
    Hang,
    Crash,
    Leftover,
    Power,
    Class,
    Statement,
    Receipt,
}

/// What is found of a case.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) problems: Vec<(BrokenRule, String)>,
    /// It ended in a failure.
    pub(crate) failed: bool,
    /// The message names a fault of the case; none where there is no failure.
    pub(crate) names_cause: Option<bool>,
    /// How its root cause stands to the faults, where that can be judged.
    pub(crate) root: Option<RootFound>,
    pub(crate) ended: String,
}

/// Looks at everything.
pub(crate) fn judge(case: &Case, contents: &Contents, seen: &Observation) -> Judgement {
    let mut found =
        Examination { case, contents, seen, images: Images::of(case, contents), problems: Vec::new() };
    let failed = seen.ran.code != Some(0);
    let mut names_cause = None;
    if seen.ran.hung {
        found.add(BrokenRule::Hang, format!("it had not ended after {:.0} s", seen.ran.seconds));
    } else if found.was_killed() {
        let afterwards = seen.afterwards.clone();
        afterwards.into_iter().for_each(|text| found.add(BrokenRule::Leftover, text));
    } else {
        found.leftovers();
        found.power();
        match (seen.ran.code, seen.receipt.as_ref()) {
            (None, _) => found.add(BrokenRule::Crash, format!("signal {:?}", seen.ran.signal)),
            (Some(0), Some(receipt)) => found.success(receipt),
            (Some(0), None) => found.add(BrokenRule::Receipt, "there is no receipt of a success".to_owned()),
            (Some(code), receipt) => names_cause = found.failure(code, receipt),
        }
    }
    let root = names_cause.and_then(|_| roots::judge(case, seen));
    Judgement { problems: found.problems, failed, names_cause, root, ended: ended(seen) }
}

/// The disk is still here: the board has not got its medium back.
const DISK_IN_LAB: &str = "lab/sd";

struct Examination<'a> {
    case: &'a Case,
    contents: &'a Contents,
    seen: &'a Observation,
    images: Images,
    problems: Vec<(BrokenRule, String)>,
}

impl Examination<'_> {
    fn add(&mut self, kind: BrokenRule, text: String) {
        self.problems.push((kind, text));
    }

    /// The signal that no program can handle was sent, and ended it.
    fn was_killed(&self) -> bool {
        let kills = self.case.effects().any(|effect| matches!(effect, Effect::Later(_, act) if act.kills()));
        kills && self.seen.ran.signal == Some(9)
    }

    fn leftovers(&mut self) {
        let is_kept = |left: &str| left == DISK_IN_LAB && self.case.faults.iter().any(|fault| fault.mux_lies);
        for left in self.seen.leftovers.iter().filter(|left| !is_kept(left)) {
            self.problems.push((BrokenRule::Leftover, left.clone()));
        }
    }

    fn power(&mut self) {
        let lies = self.case.faults.iter().any(|fault| fault.power_lies);
        let refuses = self.case.effects().any(|effect| matches!(effect, Effect::Power(_)));
        let may_be_on = lies || self.case.has("stays-on") && self.seen.ran.code == Some(0);
        if self.seen.outlet != "off" && !may_be_on {
            self.add(BrokenRule::Power, "the board is on".to_owned());
        }
        let Some(receipt) = &self.seen.receipt else { return };
        let stated = receipt["power"].as_str().unwrap_or_default();
        let is_sure = receipt["power_evidence"] == "reported";
        let is_true = match stated {
            "untouched" => self.seen.switched != Some(true),
            "off" => self.seen.outlet == "off" || lies && !is_sure,
            "on" => self.seen.outlet == "on" || lies,
            "unknown" => refuses,
            _ => false,
        };
        if !is_true {
            let text = format!(
                "it says that the board is `{stated}` ({}), the outlet says `{}`",
                receipt["power_evidence"], self.seen.outlet
            );
            self.add(BrokenRule::Power, text);
        }
    }

    fn success(&mut self, receipt: &Value) {
        let verdict = receipt["verdict"].as_str().unwrap_or_default();
        let asked_for_less = self.case.has("verify-mapped") || self.case.has("verify-off");
        let lies = self.case.faults.iter().any(|fault| fault.medium_lies);
        let holds = holds_any(&self.images.right, self.contents, self.seen, lies);
        match verdict {
            "proven" if !asked_for_less && !holds => {
                self.add(
                    BrokenRule::FalseSuccess,
                    "proven, and the medium does not hold the image".to_owned(),
                );
            }
            "written, not proven" if asked_for_less && !holds && !lies && !self.medium_is_bad() => {
                self.add(
                    BrokenRule::FalseSuccess,
                    "written, and the medium does not hold the image".to_owned(),
                );
            }
            "proven" if !asked_for_less => self.digest(receipt),
            "written, not proven" if asked_for_less => {}
            _ => self.add(BrokenRule::Receipt, format!("exit code 0 and the verdict `{verdict}`")),
        }
        if !receipt["failure"].is_null() {
            self.add(BrokenRule::Receipt, "exit code 0 and a failure in the receipt".to_owned());
        }
    }

    /// A fault that spoils what is written, which is seen only by reading it back.
    fn medium_is_bad(&self) -> bool {
        self.case.faults.iter().any(|fault| fault.ends.iter().any(|(class, _)| *class == "medium"))
    }

    /// The digest of a proof is that of the bytes on the medium.
    fn digest(&mut self, receipt: &Value) {
        let length =
            receipt["image"]["decoded_length"].as_u64().and_then(|length| usize::try_from(length).ok());
        let bytes = length.and_then(|length| self.seen.medium.get(..length)).unwrap_or_default();
        if receipt["image"]["decoded_sha256"] != hex(&Sha256::digest(bytes)) {
            self.add(BrokenRule::Receipt, "the digest of the image is not that of the medium".to_owned());
        }
    }

    /// Gives whether the message names a fault.
    fn failure(&mut self, code: i32, receipt: Option<&Value>) -> Option<bool> {
        let Some(class) = class_of(code).filter(|class| *class != "internal") else {
            self.add(BrokenRule::Crash, format!("exit code {code}"));
            return None;
        };
        if !allows(self.case, self.seen, class) {
            self.add(BrokenRule::Class, format!("no fault of the case ends in `{class}`"));
        }
        match receipt {
            Some(receipt) => self.receipt_of_failure(class, receipt),
            None if code == 2 => {}
            None => self.add(BrokenRule::Receipt, "there is no receipt of a failure".to_owned()),
        }
        Some(names(self.case, self.seen, class))
    }

    fn receipt_of_failure(&mut self, class: &str, receipt: &Value) {
        let failure = &receipt["failure"];
        if receipt["verdict"] != "failed" || failure["class"] != class {
            self.add(
                BrokenRule::Receipt,
                format!("exit code of `{class}`, receipt {} {}", receipt["verdict"], failure["class"]),
            );
        }
        if failure["medium"].is_null() {
            self.add(BrokenRule::Statement, "the failure does not say what is on the medium".to_owned());
        } else if let Some(text) =
            wrong_statement(self.case, self.contents, &self.images, self.seen, &failure["medium"])
        {
            self.add(BrokenRule::Statement, text);
        }
    }
}
