# The board's half of a flash. Runs under busybox ash, dash and bash, with busybox or GNU tools.
# Names no device by itself: everything comes as an argument. Answers in lines that begin with "flasher:".
#
#   sh guest.sh write  TARGET URL           write the frames that URL delivers
#   sh guest.sh verify TARGET CACHES URL    read back the ranges that URL lists, around the page cache

set -u
exec 3>&1
say() { printf 'flasher: %s\n' "$*" >&3; }
die() { say "error $*"; exit 1; }

errors=$(mktemp "${TMPDIR:-/tmp}/flasher.XXXXXX") || die "cannot make a temporary file"
trap 'rm -f "$errors"' EXIT
complaint() { tr '\n\r' '  ' <"$errors" | cut -c 1-300; }

# No wget gets -T: busybox built without it crashes (1.35 of Debian 12). The exporter notices a standstill.
fetch() {
    if command -v wget >/dev/null 2>&1; then
        wget -q -t 1 -O - "$1" 2>"$errors.fetch"
    else
        curl -fsS -- "$1" 2>"$errors.fetch"
    fi || {
        say "error fetch $(tr '\n\r' '  ' <"$errors.fetch" | cut -c 1-300)"
        rm -f "$errors.fetch"
        return 1
    }
    rm -f "$errors.fetch"
}

flush() { dd if=/dev/null of="$1" bs=512 count=0 conv=notrunc,fsync 2>"$errors" || die "flush $(complaint)"; }

# Each frame is a line "kind block seek count"; data frames are followed by block x count bytes.
write_frames() {
    while read -r kind block seek count; do
        case $kind in
        data) dd of="$1" bs="$block" seek="$seek" count="$count" iflag=fullblock conv=notrunc 2>"$errors" || die "write $(complaint)" ;;
        zero) dd if=/dev/zero of="$1" bs="$block" seek="$seek" count="$count" conv=notrunc 2>"$errors" || die "write $(complaint)" ;;
        flush) flush "$1" ;;
        end) flush "$1"; say "written"; return 0 ;;
        *) die "protocol unknown frame $kind" ;;
        esac
    done
    die "cut the stream ended early"
}

# Gets the page cache out of the way; sets how to read.
around_cache() {
    flushed=no
    blockdev --flushbufs "$1" 2>/dev/null && flushed=yes
    direct=
    if echo 3 2>/dev/null >"$2"; then
        say "caches dropped"
    # The last, odd bytes are not read directly: they must have left the cache as well.
    elif [ $flushed = yes ] && dd if="$1" of=/dev/null bs=65536 count=1 iflag=direct 2>/dev/null; then
        direct=iflag=direct
        say "caches direct"
    else
        die "caches neither dropping them nor direct reading works here"
    fi
}

# Each line is "index" and then "block skip count" up to three times.
verify_ranges() {
    while read -r index parts; do
        : >"$errors"
        sum=$(digest "$1" $parts)
        if [ -s "$errors" ]; then
            say "range $index error $(complaint)"
        else
            say "range $index ${sum%% *}"
        fi
    done
}

# A detour over a file beats a pipe, which small tools fill and empty in small pieces. Without room for it, the pipe.
digest() {
    read_parts "$@" >"$errors.part"
    if [ -s "$errors" ]; then
        : >"$errors"
        rm -f "$errors.part"
        read_parts "$@" | sha256sum
    else
        sha256sum <"$errors.part"
        rm -f "$errors.part"
    fi
}

read_parts() {
    device=$1
    shift
    while [ $# -ge 3 ]; do
        flag=$direct
        [ "$1" -ge 4096 ] || flag=
        dd if="$device" bs="$1" skip="$2" count="$3" $flag 2>"$errors.dd" || cat "$errors.dd" >>"$errors"
        rm -f "$errors.dd"
        shift 3
    done
}

case $1 in
write) fetch "$3" | write_frames "$2" ;;
verify)
    around_cache "$2" "$3"
    fetch "$4" >"$errors.list" || exit 1
    verify_ranges "$2" <"$errors.list"
    rm -f "$errors.list"
    say "verified"
    ;;
*) die "protocol unknown command $1" ;;
esac
