#!@SH@
# Answers for the medium.
usage() {
    echo "blockdev: unknown option or no block device: $*" >&2
    exit 1
}
[ $# -eq 2 ] || usage "$@"
part=@ROOT@/partitions/${2##*/}
if [ "$2" -ef @MEDIUM@ ]; then
    bytes=$(@ROOT@/bin/wc -c <@MEDIUM@)
elif [ "$2" -ef "$part" ]; then
    read -r start bytes <"$part"
else
    usage "$@"
fi
case $1 in
--getsize64) echo $((bytes)) ;;
--getsz | --getsize) echo $((bytes / 512)) ;;
--getss | --getpbsz | --getbsz) echo @SECTOR@ ;;
--getro) [ -z "@READ_ONLY@" ] && echo 0 || echo 1 ;;
--flushbufs | --rereadpt | --setrw) exec @ROOT@/bin/sync ;;
*) usage "$@" ;;
esac
