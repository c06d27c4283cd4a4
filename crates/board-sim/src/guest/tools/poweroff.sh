#!@SH@
# Switches the simulated board off, never the host.
echo poweroff >@ROOT@/control
while :; do @ROOT@/bin/sleep 60; done
