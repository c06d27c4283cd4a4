#!@SH@
# Shows the board's network; settings are accepted.
[ $# -le 1 ] || exit 0
echo "eth0      Link encap:Ethernet  HWaddr 52:52:52:52:52:52"
[ -z "@NETWORK@" ] || echo "          inet addr:127.0.0.1  Bcast:127.255.255.255  Mask:255.0.0.0"
