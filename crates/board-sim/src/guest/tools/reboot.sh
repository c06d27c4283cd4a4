#!@SH@
# Restarts the simulated board, never the host.
echo reboot >@ROOT@/control
while :; do @ROOT@/bin/sleep 60; done
