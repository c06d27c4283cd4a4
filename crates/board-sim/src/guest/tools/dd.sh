#!@SH@
# The host's dd, with the behaviour of the simulated medium: it does not shrink, it fills up, it can be bad.
medium=@MEDIUM@

# Bytes in a number of dd: 512, 4k, 1MiB, 2x512.
bytes() {
    case $1 in
    *x*) product=$(($(bytes "${1%%x*}") * $(bytes "${1#*x}"))) && echo "$product" ;;
    *kB | *KB) echo $((${1%[kK]B} * 1000)) ;;
    *MB) echo $((${1%MB} * 1000000)) ;;
    *GB) echo $((${1%GB} * 1000000000)) ;;
    *KiB | *MiB | *GiB) bytes "${1%iB}" ;;
    *[kK]) echo $((${1%[kK]} * 1024)) ;;
    *M) echo $((${1%M} * 1048576)) ;;
    *G) echo $((${1%G} * 1073741824)) ;;
    *b) echo $((${1%b} * 512)) ;;
    *w) echo $((${1%w} * 2)) ;;
    *c | *B) echo $((${1%?})) ;;
    *) echo $(($1)) ;;
    esac
}

# START END: what a medium that holds less than it tells makes of what was just written there.
counterfeit() {
    from=$1 to=$2
    if [ -z "@WRAPS@" ]; then
        [ "$from" -gt "@REAL@" ] || from=@REAL@
        [ "$to" -le "$from" ] || @DD@ if=/dev/zero of=@MEDIUM@ bs=64k count=$((to - from)) seek="$from" iflag=count_bytes oflag=seek_bytes conv=notrunc 2>/dev/null
        return
    fi
    # What was written last to a place is what is read there, at each of its addresses.
    [ $((to - from)) -le "@REAL@" ] || from=$((to - @REAL@))
    while [ "$from" -lt "$to" ]; do
        place=$((from % @REAL@)) length=$((to - from))
        [ $((place + length)) -le "@REAL@" ] || length=$((@REAL@ - place))
        while [ "$place" -lt "@SIZE@" ]; do
            part=$length
            [ $((place + part)) -le "@SIZE@" ] || part=$((@SIZE@ - place))
            [ "$place" -eq "$from" ] || @DD@ if=@MEDIUM@ of=@MEDIUM@ bs=64k skip="$from" seek="$place" count="$part" iflag=skip_bytes,count_bytes oflag=seek_bytes conv=notrunc 2>/dev/null
            place=$((place + @REAL@))
        done
        from=$((from + length))
    done
}

input= output= ibs=512 obs=512 seek=0 skip=0 count= status= byte_seek= byte_skip= byte_count=
for word; do
    shift
    case $word in
    status=*)
        status=${word#*=}
        continue
        ;;
    if=*) input=${word#*=} ;;
    of=*) output=${word#*=} ;;
    bs=*) ibs=$(bytes "${word#*=}") obs=$ibs ;;
    ibs=*) ibs=$(bytes "${word#*=}") ;;
    obs=*) obs=$(bytes "${word#*=}") ;;
    seek=* | oseek=*) seek=$(bytes "${word#*=}") ;;
    skip=* | iseek=*) skip=$(bytes "${word#*=}") ;;
    count=*) count=$(bytes "${word#*=}") ;;
    iflag=* | oflag=*)
        case $word in *seek_bytes*) byte_seek=yes ;; esac
        case $word in *skip_bytes*) byte_skip=yes ;; esac
        case $word in *count_bytes*) byte_count=yes ;; esac
        ;;
    esac
    set -- "$@" "$word"
done
shown=${status:+status=$status}

# A partition is a stretch of the medium; dd takes the last of two words.
part=@ROOT@/partitions/${input##*/}
if [ -n "$input" ] && [ "$input" -ef "$part" ]; then
    read -r begin size <"$part"
    input=$medium skip=$((skip + begin / ibs))
    [ -n "$count" ] || count=$((size / ibs))
    set -- "$@" if="$medium" skip="$skip" count="$count"
fi
part=@ROOT@/partitions/${output##*/} part_end=
if [ -n "$output" ] && [ "$output" -ef "$part" ]; then
    read -r begin size <"$part"
    output=$medium seek=$((seek + begin / obs)) part_end=$((begin + size))
    set -- "$@" of="$medium" seek="$seek"
fi

reads_medium=
[ -z "$input" ] || [ ! "$input" -ef "$medium" ] || reads_medium=yes
if [ -n "$reads_medium" ] && [ -n "@READ_ERROR@" ]; then
    first=$((skip * ibs))
    [ -z "$byte_skip" ] || first=$skip
    end=$((@READ_ERROR@ + 1))
    if [ -n "$count" ]; then
        end=$((first + count * ibs))
        [ -z "$byte_count" ] || end=$((first + count))
    fi
    if [ "$first" -le "@READ_ERROR@" ] && [ "$end" -gt "@READ_ERROR@" ]; then
        good=$(((@READ_ERROR@ - first) / ibs))
        [ -z "$byte_count" ] || good=$((good * ibs))
        @DD@ "$@" count="$good" $shown
        echo "[   12.345678] I/O error, dev mmcblk0, sector $((@READ_ERROR@ / 512)) op 0x0:(READ) flags 0x0" >>@ROOT@/kernel.log
        echo "dd: error reading '$input': Input/output error" >&2
        exit 1
    fi
fi

# What is read is a copy: of what was there when nothing was written yet, or with a bit changed.
if [ -n "$reads_medium" ] && [ -n "@STALE@" ] && [ -e @ROOT@/stale ]; then
    set -- "$@" if=@ROOT@/stale
fi
if [ -n "$reads_medium" ] && [ -n "@FLIP_READ@" ]; then
    [ -e @ROOT@/read_flips ] || echo "@FLIP_READ@" >@ROOT@/read_flips
    read -r flip_at mask left <@ROOT@/read_flips
    first=$((skip * ibs)) end=$((flip_at + 1))
    [ -z "$byte_skip" ] || first=$skip
    if [ -n "$count" ]; then
        end=$((first + count * ibs))
        [ -z "$byte_count" ] || end=$((first + count))
    fi
    if [ "$left" -ne 0 ] && [ "$first" -le "$flip_at" ] && [ "$end" -gt "$flip_at" ]; then
        @DD@ if="$medium" of=@ROOT@/flipped bs=1M 2>/dev/null
        byte=$(@ROOT@/bin/od -An -tu1 -j "$flip_at" -N 1 "$medium")
        printf "\\$(printf %03o $((byte ^ mask)))" | @DD@ of=@ROOT@/flipped bs=1 seek="$flip_at" conv=notrunc 2>/dev/null
        [ "$left" -lt 0 ] || echo "$flip_at $mask $((left - 1))" >@ROOT@/read_flips
        set -- "$@" if=@ROOT@/flipped
    fi
fi

if [ -z "$output" ] || [ ! "$output" -ef "$medium" ]; then
    exec @DD@ "$@" $shown
fi

[ -z "@READ_ONLY@" ] || {
    echo "[   12.345678] mmcblk0: mmc0:0001: card is write protected" >>@ROOT@/kernel.log
    echo "dd: failed to open '$output': Permission denied" >&2
    exit 1
}
[ -z "@STALE@" ] || [ -e @ROOT@/stale ] || @DD@ if="$medium" of=@ROOT@/stale bs=1M 2>/dev/null
[ -z "@LOST@" ] || set -- "$@" of=@ROOT@/lost
[ -z "@STUCK@" ] || exec @ROOT@/bin/sleep 1000000

# The power goes in the middle of a write: what was to come after that never does.
if [ -n "@CUT@" ]; then
    read -r before <@ROOT@/written
    left=$((@CUT@ - before))
    if [ $((${count:-1} * obs)) -ge "$left" ]; then
        @DD@ "$@" count=$((left / obs)) conv=notrunc 2>/dev/null
        echo "wrote $left" >@ROOT@/control
        echo cut >@ROOT@/control
        exec @ROOT@/bin/sleep 1000000
    fi
fi

start=$((seek * obs))
[ -z "$byte_seek" ] || start=$seek
limit=@FULL_AT@ complaint='No space left on device'
if [ -n "@WRITE_ERROR@" ] && [ "$start" -le "@WRITE_ERROR@" ]; then
    limit=@WRITE_ERROR@ complaint='Input/output error'
fi

if [ -n "$part_end" ] && { [ -z "$limit" ] || [ "$limit" -gt "$part_end" ]; }; then
    limit=$part_end complaint='No space left on device'
fi

# For `pidof`: what has written last.
echo $$ >@ROOT@/writer

# A write beyond the limit is an error, no signal.
trap '' XFSZ
said=$({
    [ -z "$limit" ] || ulimit -f $((limit / 512))
    exec @DD@ "$@" conv=notrunc
} 2>&1)
code=$?

written=0
while IFS= read -r line; do
    kind=statistics
    case $line in
    '') continue ;;
    *' records in' | *' records out') ;;
    [0-9]*' byte'*)
        written=${line%% *}
        kind=transfer
        ;;
    *'File too large'*)
        [ "$complaint" != 'Input/output error' ] || echo "[   12.345678] I/O error, dev mmcblk0, sector $((limit / 512)) op 0x1:(WRITE) flags 0x800" >>@ROOT@/kernel.log
        line=${line%%File too large*}$complaint
        kind=error
        ;;
    *) kind=error ;;
    esac
    case $status:$kind in
    none:statistics | none:transfer | noxfer:transfer) ;;
    *) printf '%s\n' "$line" >&2 ;;
    esac
done <<EOF
$said
EOF
end=$((start + written))

read -r flip_at mask left <@ROOT@/flips || :
if [ -n "${mask:-}" ] && [ "$left" -ne 0 ] && [ "$start" -le "$flip_at" ] && [ "$end" -gt "$flip_at" ]; then
    byte=$(@ROOT@/bin/od -An -tu1 -j "$flip_at" -N 1 "$medium")
    printf "\\$(printf %03o $((byte ^ mask)))" | @DD@ of="$medium" bs=1 seek="$flip_at" conv=notrunc 2>/dev/null
    [ "$left" -lt 0 ] || echo "$flip_at $mask $((left - 1))" >@ROOT@/flips
    echo flip >@ROOT@/control
fi
[ -z "@REAL@" ] || counterfeit "$start" "$end"
if [ -n "@SLOW@" ]; then
    thousandths=$((written * 1000 / @SLOW@))
    @ROOT@/bin/sleep "$((thousandths / 1000)).$(printf %03d $((thousandths % 1000)))"
fi
[ -z "@CUT@" ] || echo $((before + written)) >@ROOT@/written
echo "wrote $written" >@ROOT@/control
exit $code
