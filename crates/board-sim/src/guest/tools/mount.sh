#!@SH@
# Kernel file systems are there already; the medium's cannot be mounted.
case " $* " in
"  ")
    echo "rootfs on / type rootfs (rw)"
    exit 0
    ;;
*" -t proc "* | *" -t sysfs "* | *" -t devtmpfs "* | *" -t tmpfs "* | *" remount"*) exit 0 ;;
esac
for last; do :; done
echo "mount: mounting on $last failed: Invalid argument" >&2
exit 255
