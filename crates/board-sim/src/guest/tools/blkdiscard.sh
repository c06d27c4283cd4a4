#!@SH@
# Discarded bytes of the medium read as zeros. With -z they are written as zeros, where the board can do that.
offset=0 length= device= zeroout=
while [ $# -gt 0 ]; do
    case $1 in
    -o | --offset) offset=$2; shift ;;
    -l | --length) length=$2; shift ;;
    -z | --zeroout) zeroout=yes ;;
    -*) ;;
    *) device=$1 ;;
    esac
    shift
done
[ "$device" -ef @MEDIUM@ ] || {
    echo "blkdiscard: $device: not a block device" >&2
    exit 1
}
[ -z "$zeroout" ] || [ -n "@ZEROOUT@" ] || {
    echo "blkdiscard: invalid option -- 'z'" >&2
    exit 1
}
bytes=$(@ROOT@/bin/wc -c <@MEDIUM@)
: "${length:=$((bytes - offset))}"
[ $((offset % 512 + length % 512)) -eq 0 ] && [ $((offset + length)) -le $((bytes)) ] || {
    echo "blkdiscard: $device: BLKDISCARD ioctl failed: Invalid argument" >&2
    exit 1
}
[ -z "$zeroout" ] || exec @ROOT@/bin/dd if=/dev/zero of=@MEDIUM@ bs=512 seek=$((offset / 512)) count=$((length / 512)) conv=notrunc 2>/dev/null
exec @DD@ if=/dev/zero of=@MEDIUM@ bs=512 seek=$((offset / 512)) count=$((length / 512)) conv=notrunc 2>/dev/null
