//! Every option of a job is in the table, and one without effect is refused.

use clap::{CommandFactory, FromArgMatches};

use super::*;
use crate::args::given::given;

#[test]
fn no_option_of_a_job_is_forgotten() {
    let clap = Args::command();
    for (command, table) in [("flash", FLASH), ("plan", FLASH), ("dump", DUMP)] {
        let of = clap.find_subcommand(command).unwrap();
        let mut known: Vec<&str> = of
            .get_arguments()
            .filter(|arg| !arg.is_global_set() && arg.get_id() != "help")
            .map(|arg| arg.get_id().as_str())
            .collect();
        let mut listed: Vec<&str> = table.iter().map(|(id, ..)| *id).collect();
        known.sort_unstable();
        listed.sort_unstable();
        assert_eq!(known, listed, "{command}");
    }
}

/// What is said to a command line, `flasher` left out.
fn check_line(line: &str) -> Result<(), String> {
    let clap = Args::command();
    let words = std::iter::once("flasher").chain(line.split(' '));
    let matches = clap.clone().try_get_matches_from(words).map_err(|error| error.to_string())?;
    let mut args = Args::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    args.given = given(&clap, &matches);
    check(&args).map_err(|error| error.to_string())
}

#[test]
fn an_option_without_effect_is_refused() {
    let kept = |option: &str| {
        format!(
            "`{option}` does not go through `--remote`: an exporter keeps no decoded images of its clients"
        )
    };
    let outlives = "`--detach` does not go through `--remote`: a flash on an exporter goes on by itself when its client ends";
    for (line, problem) in [
        ("flash os.img", None),
        ("flash os.img --header a:b", Some("`--header` has no effect: no image comes over http or https")),
        (
            "flash os.img --bearer-file f",
            Some("`--bearer-file` has no effect: no image comes over http or https"),
        ),
        (
            "flash oci://h/os --header a:b",
            Some("`--header` has no effect: no image comes over http or https"),
        ),
        ("flash HTTP://h/os --header a:b --cacert c -k", None),
        ("flash -t a:b -t c:http://h/os --header a:b", None),
        ("flash os.img --cacert c", Some("`--cacert` has no effect: nothing is fetched over https")),
        ("flash oci://h/os --cacert c", None),
        ("flash oci://h/os -k", Some("`--insecure` has no effect: nothing is fetched over https")),
        ("flash os.img -k --bmap https://h/x", None),
        ("flash os.img -k --checksum-url s3://b/x", None),
        ("flash - -k", Some("`--insecure` has no effect: nothing is fetched over https")),
        (
            "flash os.img --no-cache --cache-dir d",
            Some("`--cache-dir` has no effect: `--no-cache` keeps nothing"),
        ),
        (
            "flash os.img --no-cache --cache-size 1GB",
            Some("`--cache-size` has no effect: `--no-cache` keeps nothing"),
        ),
        ("flash os.img --no-cache", None), // its default size was not asked for
        ("plan os.img --cacert c", Some("`--cacert` has no effect: nothing is fetched over https")),
        ("plan os.img --receipt r", None),
        ("dump out --verify off --receipt r", None),
        ("serve --web", None),
        ("serve --web 0 --cert c --key k --passphrase-file p", None),
        ("serve --controller --web --passphrase-file p --host h", None),
        ("serve --unix s --cert c --key k", Some("`--cert` has no effect without `--listen` or `--web`")),
        (
            "serve --controller --host h",
            Some(
                "`--host` has no effect with `--controller`, which decides who comes in, unless there is a web page (`--web`)",
            ),
        ),
        ("power --force off", None),
        ("--remote h:1 power off", None),
        (
            "--remote h:1 power --force off",
            Some("`--force` does not go through `--remote`: an exporter guards its boards itself"),
        ),
        ("--remote h:1 flash os.img --no-cache", Some(&kept("--no-cache"))),
        ("--remote h:1 flash os.img --cache-dir d", Some(&kept("--cache-dir"))),
        ("--remote h:1 flash os.img --cache-size 1GB", Some(&kept("--cache-size"))),
        ("--remote h:1 flash os.img --detach", Some(outlives)),
        ("--remote h:1 flash os.img --length 5 --verify mapped --transcript t --preflash true", None),
        ("--remote h:1 flash -t a:b -t c:http://h/d --cacert ca.pem", None),
        (
            "--remote h:1 flash os.img --cacert c",
            Some("`--cacert` has no effect: nothing is fetched over https"),
        ),
        ("--remote h:1 flash os.img --bmap os.bmap --bmap-keyring k --no-checksum", None),
        ("--remote h:1 flash os.img --no-bmap --checksum-url SHA256SUMS", None),
        ("--remote h:1 flash http://h/os --header a:b -k --check-first --wire zstd", None),
        ("--remote h:1 flash http://h/os --direct", None),
    ] {
        assert_eq!(check_line(line), problem.map_or(Ok(()), |it| Err(it.to_owned())), "{line}");
    }
}
