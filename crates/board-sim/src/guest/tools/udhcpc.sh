#!@SH@
# The board's network is the host's loopback interface.
echo "udhcpc: started, v1.35.0"
echo "udhcpc: broadcasting discover"
if [ -z "@NETWORK@" ]; then
    echo "udhcpc: no lease, failing"
    exit 1
fi
echo "udhcpc: broadcasting select for 127.0.0.1, server 127.0.0.1"
echo "udhcpc: lease of 127.0.0.1 obtained from 127.0.0.1, lease time 3600"
