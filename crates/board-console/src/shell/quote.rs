//! Quoting for a POSIX shell.

/// `word` as one word of a shell command, in single quotes (POSIX.1-2017, Shell Command Language, 2.2.2).
///
/// Any text but one with a NUL arrives unchanged.
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `text` as a shell expression of printable characters only: a control character typed at a shell's line editor
/// would act on it (a tab completes, a newline ends the line).
pub(super) fn typed(text: &str) -> String {
    if !text.contains(|letter: char| letter.is_control()) {
        return quote(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str(r"\\"),
            letter if letter.is_control() => push_octal(&mut escaped, letter),
            letter => escaped.push(letter),
        }
    }
    // `$(…)` takes line ends at the end away; a command does not need them.
    format!("\"$(printf %b {})\"", quote(&escaped))
}

/// `\0ooo` for each byte, as `printf %b` reads it.
fn push_octal(escaped: &mut String, letter: char) {
    let mut bytes = [0; 4];
    for byte in letter.encode_utf8(&mut bytes).bytes() {
        escaped.push_str(&format!("\\0{byte:03o}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// The shells of boards that this machine has; those it lacks are named.
    fn shells() -> Vec<&'static [&'static str]> {
        let all: [&[&str]; 3] = [&["dash"], &["bash"], &["busybox", "ash"]];
        let is_there = |shell: &&[&str]| {
            let there = Command::new(shell[0]).args(&shell[1..]).args(["-c", ":"]).status();
            let there = there.is_ok_and(|status| status.success());
            if !there {
                println!("skipped: no `{}` on this machine", shell.join(" "));
            }
            there
        };
        all.into_iter().filter(is_there).collect()
    }

    fn through(shell: &[&str], expression: &str) -> String {
        let script = format!("printf %s {expression}");
        let output = Command::new(shell[0]).args(&shell[1..]).args(["-c", &script]).output();
        let output = output.expect("the shell runs");
        assert!(output.status.success(), "{shell:?} {script}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn urls_labels_paths_and_headers_arrive_unchanged() {
        for shell in shells() {
            for word in [
                "https://h/os.img.xz?X-Sig=a%2Fb&e=1;rm -rf /#$(id)",
                "ROOT 'A' \"b\"",
                "/srv/it's/`id`/$HOME/*.img",
                "Authorization: Bearer a\\nb!c~{d,e}",
                "-n",
                "--",
                "\n\n",
                "\u{1f980}é",
            ] {
                assert_eq!(through(shell, &quote(word)), word, "{shell:?}");
            }
        }
    }

    #[test]
    fn words_are_quoted() {
        for (word, quoted) in
            [("plain", "'plain'"), ("it's", r"'it'\''s'"), ("", "''"), ("$x `y`", "'$x `y`'")]
        {
            assert_eq!(quote(word), quoted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_word_comes_through_the_shell_unchanged(word in "[^\0]{0,40}") {
            for shell in shells() {
                prop_assert_eq!(&through(shell, &quote(&word)), &word, "{:?}", shell);
            }
        }

        #[test]
        fn any_text_can_be_typed(text in r#"[a-z'"\\$`\n\t\r\x01é%]{0,40}"#) {
            let typed = typed(&text);
            prop_assert!(!typed.chars().any(char::is_control));
            for shell in shells() {
                prop_assert_eq!(through(shell, &typed), text.trim_end_matches('\n'), "{:?}", shell);
            }
        }
    }
}
