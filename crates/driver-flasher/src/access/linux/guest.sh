# The board's half of a flash. Runs under busybox ash, dash and bash, with busybox or GNU tools.
# Names no device by itself: everything comes as an argument. Answers in lines that begin with "flasher:".
#
#   sh guest.sh write  TARGET PROMISE WIRE URL    write the frames that URL delivers, encoded as WIRE says
#   sh guest.sh direct TARGET FORMAT URL          write all but the first 64 KiB of the image at URL, packed as FORMAT says
#   sh guest.sh send   TARGET CACHES LIST URL N   read the ranges that LIST names around the page cache, send the N bytes to URL
#   sh guest.sh verify TARGET CACHES LIST         read the same ranges and tell the digest of each
#   sh guest.sh pace   N                          tell how long the digest of N MiB takes here
#   sh guest.sh trial  WIRE URL                   tell how long fetching and decoding URL takes, and how much came out
#
# PROMISE is a file that says 1 where this device reads as zeros once discarded (kernels before 4.13).
# For write and send the script runs itself a second time, with the connection as its input and output: so dd takes its
# bytes from the network and gives them to it, without a process or a pipe in between.

set -u
say() { printf 'flasher: %s\n' "$*" >&3; }
# A message of the kernel may stand in the middle of a line: what decides is said twice.
decide() { say "$*"; say "$*"; }
die() { decide "error $*"; exit 1; }

errors=$(mktemp "${TMPDIR:-/tmp}/flasher.XXXXXX") || exit 1
trap 'rm -f "$errors" "$errors".*' EXIT
# What a tool complains of, without the counts dd adds.
complaint() { grep -v -e ' records ' -e ' copied' "$errors" | tr '\n\r' '  ' | cut -c 1-300; }

# No wget gets -T: busybox built without it crashes (1.35 of Debian 12). The exporter notices a standstill.
fetch() {
    if command -v wget >/dev/null 2>&1; then
        wget -q -t 1 -O - "$1" 2>"$errors.fetch"
    else
        curl -fsSL -- "$1" 2>"$errors.fetch"
    fi || {
        decide "error fetch $(tr '\n\r' '  ' <"$errors.fetch" | cut -c 1-300)"
        return 1
    }
}

# The tool that can give its connection to another program.
connector() {
    if nc --help 2>&1 | grep -q -- '-e PROG'; then
        echo nc
    elif command -v bash >/dev/null 2>&1; then
        echo bash
    fi
}

# URL MODE ARGUMENT...: ends as this script does in MODE, connected to URL's server. Comes back when there is no way.
connected() {
    server=${1#http://}
    path=/${server#*/}
    server=${server%%/*}
    shift
    case $(connector) in
    # By its path: busybox would run its own shell in place of the one that is called sh here.
    nc) nc "${server%:*}" "${server##*:}" -e "$(command -v sh)" "$0" "$1" "$errors.begun" "$server" "$path" "$@" ;;
    bash) bash -c 'exec 5<>"/dev/tcp/$1/$2" || exit; shift 2; exec "$@" <&5 >&5' bash \
        "${server%:*}" "${server##*:}" sh "$0" "$1" "$errors.begun" "$server" "$path" "$@" ;;
    *) return ;;
    esac 2>/dev/null
    code=$?
    [ ! -e "$errors.begun" ] || exit $code
}

cr=$(printf '\r')
# The status of the server's answer; its header is read up to the body.
status() {
    read -r version status words || return 1
    while read -r line; do
        [ "$line" != "$cr" ] || return 0
    done
    return 1
}

# Whole pages around the page cache, when the device can: faster, and nothing is left to flush at the end.
can_direct() { dd if="$1" of=/dev/null bs=65536 count=1 iflag=direct 2>/dev/null; }

flush() { dd if=/dev/null of="$1" bs=512 count=0 conv=notrunc,fsync 2>"$errors" || die "flush $(complaint)"; }

# Whether the input has another byte.
more() { dd of=/dev/null bs=1 count=1 2>&1 | grep -q '^1+0 records in'; }

# Undoes the encoding of what comes in.
decode() {
    case $1 in
    gzip) if command -v zcat >/dev/null 2>&1; then zcat; else gzip -dc; fi ;;
    zstd) zstd -dcq ;;
    *) cat ;;
    esac
}

# FORMAT: the tool that unpacks it.
unpacker() {
    case $1 in
    raw) set -- cat ;;
    xz) set -- xz xzcat unxz ;;
    bzip2) set -- bzip2 bzcat bunzip2 ;;
    gzip) set -- gzip zcat gunzip ;;
    *) set -- "$1" ;;
    esac
    for tool in "$@"; do
        command -v "$tool" >/dev/null 2>&1 && echo "$tool" && return
    done
    return 1
}

# TOOL: what it makes of its input; a complaint is told, as the end of its output looks like any other.
unpack() {
    case $1 in
    cat | zcat | xzcat | bzcat) "$1" ;;
    *) "$1" -dc ;;
    esac 2>"$errors.unpack" || decide "error unpack $(tr '\n\r' '  ' <"$errors.unpack" | cut -c 1-300)"
}

# TARGET: writes the input from its second 64 KiB on, and says now and then how far it is.
write_rest() {
    dd of=/dev/null bs=65536 count=1 iflag=fullblock 2>/dev/null
    at=1 blocks=64+0
    while [ "$blocks" = 64+0 ]; do
        dd of="$1" bs=65536 seek="$at" count=64 iflag=fullblock conv=notrunc,fsync 2>"$errors" || die "write $(complaint)"
        blocks=$(grep ' records in' "$errors")
        blocks=${blocks%% *}
        at=$((at + ${blocks%%+*}))
        say "at $((at * 65536))"
    done
    decide written
}

# TARGET PROMISE WIRE: no pipe where nothing is encoded.
write_decoded() {
    case $3 in
    identity) write_frames "$1" "$2" ;;
    *) decode "$3" 2>"$errors.decode" | write_frames "$1" "$2" ;;
    esac
}

# DEVICE OFFSET LENGTH: zeros that nobody moves, where somebody vouches for them: an old kernel for this device once it
# is discarded, any kernel for what it was told to zero (BLKZEROOUT). A mere discard promises nothing.
zeroed() {
    case $zeroing in
    discard) blkdiscard -o "$2" -l "$3" "$1" ;;
    # Newer ones ask for -f where they find an old file system; older ones do not know it.
    zeroout) blkdiscard -f -z -o "$2" -l "$3" "$1" || blkdiscard -z -o "$2" -l "$3" "$1" ;;
    *) return 1 ;;
    esac >/dev/null 2>&1 && return
    zeroing=written
    return 1
}

# Each frame is a line "kind block seek count", that of zeros with their offset and length in bytes behind it; data
# frames are followed by block x count bytes.
write_frames() {
    direct= zeros= zeroing=zeroout told=
    ! can_direct "$1" || direct=oflag=direct
    [ "$(cat "$2" 2>/dev/null)" != 1 ] || zeroing=discard
    while read -r kind block seek count place; do
        flag=$direct
        [ "$kind" = flush ] || [ "$kind" = end ] || [ "$block" -ge 4096 ] || flag=
        case $kind in
        data) dd of="$1" bs="$block" seek="$seek" count="$count" iflag=fullblock conv=notrunc $flag 2>"$errors" || broken ;;
        zero) zeros=yes && zeroed "$1" $place || fill "$1" "$block" "$seek" "$count" ;;
        fill) fill "$1" "$block" "$seek" "$count" ;;
        flush) flush "$1" ;;
        end)
            flush "$1"
            [ -z "$zeros" ] || decide "zeros $zeroing"
            decide written
            return 0
            ;;
        *) die "protocol unknown frame $kind" ;;
        esac
        [ "$count" = 0 ] || progress $(((seek + count) * block))
    done
    die "cut the stream ended early"
}

# END: says how far the medium is written, once a second at most: a console is slow. Without a clock, each time. The first block
# is no progress: it is written last.
progress() {
    [ "$1" -gt 65536 ] || return 0
    { read -r now idle </proc/uptime || now=$1; } 2>/dev/null
    [ "${now%.*}" != "$told" ] || return 0
    told=${now%.*}
    say "at $1"
}

# DEVICE BLOCK SEEK COUNT: zeros that are written.
fill() { dd if=/dev/zero of="$1" bs="$2" seek="$3" count="$4" conv=notrunc $flag 2>"$errors" || die "write $(complaint)"; }

# A block that came in part cannot be written around the page cache: then not the medium is to blame, but the stream.
broken() {
    more || die "cut the stream ended early, in the middle of a block"
    die "write $(complaint)"
}

# Gets the page cache out of the way; sets how to read.
around_cache() {
    flushed=no
    blockdev --flushbufs "$1" 2>/dev/null && flushed=yes
    direct=
    ! can_direct "$1" || direct=iflag=direct
    if echo 3 2>/dev/null >"$2"; then
        decide "caches dropped"
    # The last, odd bytes are not read directly: they must have left the cache as well.
    elif [ $flushed = yes ] && [ -n "$direct" ]; then
        decide "caches direct"
    else
        die "caches neither dropping them nor direct reading works here"
    fi
}

# Each line is "index" and then "block skip count", as often as it takes.
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
        shift 3
    done
}

# TARGET LIST: the bytes of all ranges, one after the other. A range that cannot be read ends it.
send_ranges() {
    : >"$errors"
    while read -r index parts; do
        read_parts "$1" $parts
        [ ! -s "$errors" ] || die "read $(complaint)"
    done <"$2"
}

# Where nothing can be connected, curl sends what a pipe gives it.
send_piped() {
    command -v curl >/dev/null 2>&1 || die "no-sender nothing here can send what dd reads"
    send_ranges "$1" "$errors.list" | curl -fsS -H 'Expect:' -T - -- "$2" 2>"$errors" || die "send $(complaint)"
    decide sent
}

hundredths() {
    read -r up idle </proc/uptime
    echo "${up%.*}${up#*.}"
}

mode=$1
shift
case $mode in
connected-*)
    : >"$1" && server=$2 path=$3
    shift 4
    # A server that hangs up is an error to be told, no end without a word.
    trap '' PIPE
    ;;
*) exec 3>&1 ;;
esac
case $mode in
write)
    connected "$4" connected-write "$1" "$2" "$3"
    fetch "$4" | write_decoded "$1" "$2" "$3"
    ;;
direct)
    tool=$(unpacker "$2") || die "tool $2"
    fetch "$3" | unpack "$tool" | write_rest "$1"
    ;;
connected-write)
    printf 'GET %s HTTP/1.0\r\nHost: %s\r\n\r\n' "$path" "$server"
    status || die "fetch the server does not answer"
    [ "$status" = 200 ] || die "fetch the server answers $status $words"
    write_decoded "$1" "$2" "$3"
    ;;
send)
    around_cache "$1" "$2"
    fetch "$3" >"$errors.list" || exit 1
    connected "$4" connected-send "$1" "$errors.list" "$5" "$direct"
    send_piped "$1" "$4"
    ;;
connected-send)
    direct=$4
    printf 'PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' "$path" "$server" "$3"
    send_ranges "$1" "$2"
    status || die "send the server does not answer"
    case $status in
    2??) decide sent ;;
    *) die "send the server answers $status $words" ;;
    esac
    ;;
verify)
    around_cache "$1" "$2"
    fetch "$3" >"$errors.list" || exit 1
    verify_ranges "$1" <"$errors.list"
    decide "verified"
    ;;
pace)
    begun=$(hundredths)
    dd if=/dev/zero bs=1048576 count="$1" 2>/dev/null | sha256sum >/dev/null || die "pace no digest"
    decide "pace $(($(hundredths) - begun))"
    ;;
trial)
    # Without the tool nothing is fetched: a transfer that breaks off looks like a fault.
    if [ "$1" != identity ] && ! unpacker "$1" >/dev/null; then
        decide "trial 0 0"
        exit
    fi
    begun=$(hundredths)
    blocks=$(fetch "$2" | decode "$1" 2>/dev/null | dd of=/dev/null bs=65536 iflag=fullblock 2>&1 | grep ' records in')
    decide "trial $(($(hundredths) - begun)) ${blocks%%+*}"
    ;;
*) die "protocol unknown command $mode" ;;
esac
