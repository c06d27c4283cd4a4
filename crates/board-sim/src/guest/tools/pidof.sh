#!@SH@
# The guest's processes of this name. A medium of the host is so fast that a writer may not have begun, or have ended, by
# the time it is asked for; on a board it would be there. So it is waited for, and the last one is named when it is gone.
name=${1:?}
mine() {
    @ROOT@/bin/grep -qzx "SIM_BOARD_ID=$SIM_BOARD_ID" "/proc/$1/environ" 2>/dev/null
}
round=0
while [ "$round" -lt 20 ]; do
    for folder in /proc/[0-9]*; do
        program=$(@ROOT@/bin/readlink "$folder/exe" 2>/dev/null) || continue
        if [ "${program##*/}" = "$name" ] && mine "${folder#/proc/}"; then
            echo "${folder#/proc/}"
            exit 0
        fi
    done
    [ "$name" = dd ] || exit 1
    [ ! -r @ROOT@/writer ] || break
    @ROOT@/bin/sleep 0.05
    round=$((round + 1))
done
[ "$name" = dd ] && @ROOT@/bin/cat @ROOT@/writer 2>/dev/null
