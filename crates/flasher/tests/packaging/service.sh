# The unit's command as its user, with the rights that the unit gives it, and no systemd.
unit=/usr/lib/systemd/system/flasher@.service
for line in $(grep -o '[A-Z_]*=[^ ]*' "$unit" | grep -E '^(HOME|XDG_|MALLOC_)' | sed 's/%i/bench/g'); do
    settings="${settings-} $line"
done
serve=$(sed -n 's/^Environment="FLASHER_SERVE=\(.*\)"$/\1/p' "$unit")
start=$(sed -n 's/^ExecStart=//p' "$unit" | sed "s/%i/bench/g; s/\\\$FLASHER_SERVE/$serve/")
install -d -o flasher -g flasher -m 0700 /run/flasher-bench
setpriv --reuid flasher --regid flasher --init-groups --no-new-privs \
    --inh-caps=-all,+net_bind_service --ambient-caps=-all,+net_bind_service --bounding-set=-all,+net_bind_service \
    env -i PATH="$PATH" $settings $start >/tmp/service.log 2>&1 &
service=$!
trap 'cat /tmp/service.log; kill -9 $service 2>/dev/null || true' EXIT
tries=0
until bash -c 'exec 3<>/dev/tcp/127.0.0.1/18083' 2>/tmp/refused; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || { cat /tmp/refused; exit 1; }
    sleep 0.2
done
su person -c 'cd && head -c 3000000 /dev/urandom >image && flasher --remote 127.0.0.1:18083 flash image --format raw --receipt receipt.json'
su person -c 'cd && flasher verify-receipt receipt.json'
cmp -n 3000000 /home/person/image /var/lib/flasher/medium
kill -TERM "$service"
ended=0
wait "$service" || ended=$?
trap - EXIT
echo "the service ended with $ended"
rm -rf /run/flasher-bench
