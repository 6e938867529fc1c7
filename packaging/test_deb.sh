#!/usr/bin/env bash
# Installs, starts, upgrades and removes the .deb on the Debian system it runs on. For a machine that may be thrown away:
# as root, and without a running systemd it starts the service by hand as the unit would.
#
#   packaging/test_deb.sh [build/release/packages/gigawerk_*.deb]
set -euo pipefail
cd "$(dirname "$0")/.."
deb=$(realpath "${1:-$(ls build/release/packages/gigawerk_*.deb)}")
work=$(mktemp -d)
chmod 755 "$work"
cd "$work"  # Where the service account may be, as commands run where they were called.
say() { echo "test_deb: $*"; }
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends)

serve_pid=
serve() { # As the unit starts it.
  : >"$work/serve.log"
  chmod 666 "$work/serve.log"
  setsid runuser -u gigawerk -- env -i PATH=/usr/bin:/bin STATE_DIRECTORY=/var/lib/gigawerk \
    /usr/bin/gw serve >"$work/serve.log" 2>&1 &
  serve_pid=$!
  for _ in $(seq 100); do
    grep -q 'ready at' "$work/serve.log" && return 0
    sleep 0.1
  done
  cat "$work/serve.log"
  return 1
}
stop() {
  pkill -TERM -u gigawerk -x gw
  wait "$serve_pid" || true
}
trap 'pkill -KILL -u gigawerk 2>/dev/null || true; rm -rf "$work"' EXIT

say "install"
cp "$deb" "$work/first.deb"
"${apt[@]}" install "$work/first.deb" >/dev/null
gw --version
id gigawerk
test "$(stat -c '%U %a' /var/lib/gigawerk)" = "gigawerk 711"
test -x /usr/libexec/gigawerk/gw-supervise
unit=$(dpkg -L gigawerk | grep 'gigawerk.service$')
test -x "$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")"
if command -v systemd-analyze >/dev/null; then
  systemd-analyze verify "$unit"
  say "systemd-analyze finds no fault in $unit"
fi

say "start, as the unit would"
serve
test "$(gw run -- id -un)" = gigawerk # Root finds the server and its token in /var/lib/gigawerk.
job=$(gw run --detach -- sh -c 'sleep 15; echo survived')
sleep 1

say "upgrade, while a job runs"
dpkg-deb -R "$deb" "$work/tree"
sed -i 's/^Version: .*/Version: 99.0/' "$work/tree/DEBIAN/control"
dpkg-deb -b "$work/tree" "$work/second.deb" >/dev/null
"${apt[@]}" install "$work/second.deb" >/dev/null
test "$(dpkg-query -W -f '${Version}' gigawerk)" = 99.0
stop
serve
gw wait "$job"
test "$(gw logs "$job")" = survived
gw journal verify
gw ledger verify

say "remove and purge"
stop
"${apt[@]}" remove gigawerk >/dev/null
test ! -e /usr/bin/gw
test -e /var/lib/gigawerk/gigawerk.db
"${apt[@]}" purge gigawerk | grep -q 'is left as it is'
test -e /var/lib/gigawerk/gigawerk.db

say "install again: the factory goes on where it was"
"${apt[@]}" install "$work/first.deb" >/dev/null
serve
test "$(gw logs "$job")" = survived
stop
"${apt[@]}" purge gigawerk >/dev/null
rm -rf /var/lib/gigawerk
userdel gigawerk
say "passed"
