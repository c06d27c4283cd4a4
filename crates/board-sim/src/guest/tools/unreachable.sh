#!@SH@
# The board has no network.
echo "${0##*/}: can't connect to remote host: Network is unreachable" >&2
exit 1
