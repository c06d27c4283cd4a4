#!@SH@
# The host's shell, with the board's functions known to scripts that are given as a file or with -c.
flags=
while :; do
    case ${1-} in
    -c)
        command=$2
        shift 2
        [ $# -gt 0 ] || set -- sh
        exec @SH@ $flags -c ". @ROOT@/functions; $command" "$@"
        ;;
    -*[!a-zA-Z]* | -*[cso]* | +* | --) exec @SH@ $flags "$@" ;;
    -[a-z]*)
        flags="$flags $1"
        shift
        ;;
    '') exec @SH@ $flags "$@" ;;
    *) break ;;
    esac
done
script=$1
shift
[ -r "$script" ] || {
    echo "sh: cannot open $script: No such file" >&2
    exit 2
}
case $script in
*/*) ;;
*) script=./$script ;;
esac
exec @SH@ $flags -c '. @ROOT@/functions; . "$0"' "$script" "$@"
