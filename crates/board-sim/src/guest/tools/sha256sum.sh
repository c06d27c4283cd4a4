#!@SH@
# The host's sha256sum, until it lies.
if [ -n "@LIES_AFTER@" ]; then
    told=0
    [ ! -r @ROOT@/digests ] || read -r told <@ROOT@/digests
    echo $((told + 1)) >@ROOT@/digests
    if [ "$told" -ge "@LIES_AFTER@" ]; then
        said=$(@SHA256SUM@ "$@")
        code=$?
        printf '%s\n' "$said" | @ROOT@/bin/tr 0123456789abcdef 123456789abcdef0
        exit $code
    fi
fi
exec @SHA256SUM@ "$@"
