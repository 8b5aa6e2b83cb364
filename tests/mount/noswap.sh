#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With noswap nothing that files hold is ever swapped, by whatever worker; who cannot have that is refused.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

# --- who cannot have it
chmod 755 "$T"
cp "$KSMFS" "$T/ksmfs"
mkdir "$T/home" "$T/run"
chown 65534:65534 "$T/home" "$T/run" "$M"
if setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all true 2>/dev/null; then
	refused 'noswap: only root' setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
		env HOME="$T/home" XDG_RUNTIME_DIR="$T/run" "$T/ksmfs" -o size=64m,noswap src "$M"
fi
chown 0:0 "$M"
mount_ksmfs size=64m
refused_remount() {
	! "$KSMFS" -o remount,noswap src "$M" 2>"$T/err" || die "a remount takes noswap"
	grep -q 'noswap.*remount' "$T/err" || die "not about noswap: $(cat "$T/err")"
}
refused_remount
attr_is store/noswap 0 || die "it says noswap, and nobody has"
unmount

# --- whose it is
mount_in_group_with_swap size=256m 256m

# Bytes of the daemon in swap, when everything that can be is; 64 MiB are in files.
squeeze() {
	python3 - "$M" "$group" <<'PY'
import os, sys, time
from group import Group

mount, group = sys.argv[1], Group(sys.argv[2])
data = os.urandom(64 << 20)
with open(f"{mount}/file", "wb", buffering=0) as f:
    for at in range(0, len(data), 1 << 20):
        f.write(data[at:at + (1 << 20)])
for n in range(20):  # reclaim ages what was used before it takes it away
    group.empty()
    group.press(40 << 20)
    swapped = group.swapped()
    if swapped >= 32 << 20:
        break
    time.sleep(0.1)
with open(f"{mount}/file", "rb") as f:
    assert f.read() == data, "what was written"
print(swapped >> 20)
PY
}
swapped=$(squeeze)
[ "$swapped" -ge 32 ] || die "only $swapped MiB are swapped without noswap: this test shows nothing"
unmount

in_group "$KSMFS" -o size=256m,noswap "test-$$" "$M" 2>"$T/err" || {
	! grep -q 'takes Linux 6.4' "$T/err" || skip "$(cat "$T/err")"
	die "not mounted: $(cat "$T/err")"
}
attr_is store/noswap 1 || die "it does not say noswap"
swapped=$(squeeze)
[ "$swapped" -le 8 ] || die "$swapped MiB are swapped in spite of noswap"
rm "$M/file"
kill_worker
attr_is store/noswap 1 || die "the next worker does not say noswap"
swapped=$(squeeze)
[ "$swapped" -le 8 ] || die "$swapped MiB are swapped in spite of noswap, by another worker"
"$KSMFS" --upgrade "$M" >/dev/null || die "it is not upgraded"
attr_is store/noswap 1 || die "another program does not say noswap"
"$KSMFS" -o remount,noswap,size=128m src "$M" || die "a remount that says it again"
check
