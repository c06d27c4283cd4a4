# in_root.sh FOLDER SCRIPT: runs the script in a Debian in a folder, without a network, in namespaces that this process got.
set -eu
root=$1
ip link set lo up
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
status=0
chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM=dumb \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -euc "$2" || status=$?
umount "$root/dev/pts" "$root/proc"
exit "$status"
