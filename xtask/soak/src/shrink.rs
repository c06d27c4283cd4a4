//! Makes a case smaller: parts are left out as long as it still fails in the same way.

use crate::case::{Case, Old, Personality, Source};

/// Parts that can be left out, by their names on the command line.
pub(crate) fn parts(case: &Case) -> Vec<String> {
    let mut parts: Vec<String> = case.faults.iter().map(|fault| fault.name.to_owned()).collect();
    parts.extend(case.options.iter().map(|choice| choice.name.to_owned()));
    let further = [
        ("personality", !case.personality.name.is_empty() || case.personality.power_tells),
        ("packing", case.image.packed.is_some()),
        ("stretches", case.image.stretches.len() > 1),
        ("old", case.old != Old::Plain),
        ("retries", case.retries > 0),
        ("parts", case.source == Source::Server { parts: true }),
    ];
    parts.extend(further.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()));
    parts
}

/// The case without this part; a name that it does not have changes nothing.
pub(crate) fn without(mut case: Case, part: &str) -> Case {
    match part {
        "personality" => case.personality = Personality::default(),
        "packing" => case.image.packed = None,
        "stretches" => case.image.stretches.truncate(1),
        "old" => case.old = Old::Plain,
        "retries" => case.retries = 0,
        "parts" => case.source = Source::Server { parts: false },
        name => {
            case.faults.retain(|fault| fault.name != name);
            case.options.retain(|choice| choice.name != name);
        }
    }
    case
}

/// Leaves out what can be left out; gives what was, and the smallest case. `fails` plays a case.
pub(crate) fn shrink(case: &Case, mut fails: impl FnMut(&Case) -> bool) -> (Vec<String>, Case) {
    let (mut smallest, mut left_out) = (case.clone(), Vec::new());
    loop {
        let before = left_out.len();
        for part in parts(&smallest) {
            let smaller = without(smallest.clone(), &part);
            if fails(&smaller) {
                smallest = smaller;
                left_out.push(part);
            }
        }
        if left_out.len() == before {
            return (left_out, smallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::draw;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let case = (0..).map(draw).find(|case| case.faults.len() == 3 && case.options.len() > 1).unwrap();
        let guilty = case.faults[1].name;
        let (left_out, smallest) = shrink(&case, |it| it.faults.iter().any(|fault| fault.name == guilty));
        assert_eq!(smallest.faults.len(), 1);
        assert_eq!((smallest.options.len(), smallest.retries), (0, 0));
        let again = left_out.iter().fold(case, |case, part| without(case, part));
        assert_eq!(format!("{again:?}"), format!("{smallest:?}"), "the command line gives the same case");
    }
}
