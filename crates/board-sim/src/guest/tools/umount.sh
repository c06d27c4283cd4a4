#!@SH@
# Nothing of the medium is ever mounted.
for last; do :; done
echo "umount: can't unmount $last: Invalid argument" >&2
exit 1
