//! The promises of an error: its class, its form, the next step.

use crate::error::{Class, Error};

/// What is wrong with an error that a driver gives when its hardware is missing, busy or broken.
pub fn errors(error: &Error) -> Vec<String> {
    let text = error.to_string();
    let mut broken = super::Broken::default();
    broken.unless(
        error.class() == Class::Infrastructure,
        &format!("`{text}` is of class {}, expected infrastructure", error.class()),
    );
    broken.unless(
        !text.starts_with(char::is_uppercase) && !text.ends_with('.'),
        &format!("`{text}`: lowercase, without a full stop"),
    );
    broken.unless(error.next_step().is_some(), &format!("`{text}` does not say what to do next"));
    broken.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_error_has_nothing_wrong_and_a_bad_one_everything() {
        assert_eq!(errors(&Error::infrastructure("the relay is gone").help("plug it in")), [""; 0]);
        assert_eq!(
            errors(&Error::config("Oh no.")),
            [
                "`Oh no.` is of class config, expected infrastructure",
                "`Oh no.`: lowercase, without a full stop",
                "`Oh no.` does not say what to do next"
            ]
        );
    }
}
