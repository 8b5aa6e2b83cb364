#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# .ksmfs/: one file a figure, hidden, visible or not there, and `stats` with all of them.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

rows() {
	sed -nE 's/^ATTR_[A-Z]+\([a-z_]+, "([^"]+)".*/\1/p' "${SRC:?}/core/attrs.def"
}

mount_ksmfs size=64m
rows | while read -r path; do
	value=$(attr "$path") || die "$path cannot be read"
	case $path in
	advisor_mode | domain | trim_mode)
		first=$(expr "$value" : '.*\[\([a-z]*\)\]') || die "$path reads '$value'"
		grep -qx "$path $first" "$M/.ksmfs/stats" || die "$path is not in stats"
		continue
		;;
	esac
	expr "$value" : '-\{0,1\}[0-9][0-9]*$' >/dev/null || die "$path reads '$value'"
	grep -q "^$path -\{0,1\}[0-9][0-9]*$" "$M/.ksmfs/stats" || die "$path is not in stats"
done
[ "$(wc -l <"$M/.ksmfs/stats")" = "$(rows | wc -l)" ] || die "stats has other lines"
[ "$(stat -c %a:%u "$M/.ksmfs/run")" = 644:0 ] || die "mode of run"
[ "$(stat -c %a:%u "$M/.ksmfs/pages_sharing")" = 444:0 ] || die "mode of pages_sharing"
[ -z "$(ls -A "$M")" ] || die "hidden, and listed"
while read -r name preset; do
	attr_is "$name" "$preset" || die "$name is $(attr "$name") at first, not $preset"
done <<'EOF'
run 1
merge_on_write 1
pages_to_scan 100
sleep_millisecs 20
smart_scan 1
use_zero_pages 1
max_page_sharing 0
max_kernel_pages 0
advisor_target_scan_time 200
advisor_max_cpu 70
advisor_min_pages_to_scan 500
advisor_max_pages_to_scan 30000
EOF

# Read in pieces, a snapshot stays one.
dd if="$M/.ksmfs/stats" bs=7 2>/dev/null | tail -n 1 | grep -q ' ' || die "stats read in pieces"
setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "echo 0 2>/dev/null >'$M/.ksmfs/run'" &&
	die "anybody may write run"
attr_is run 1 || die "run was changed"

mount_ksmfs size=64m,control=visible "$T/visible"
find "$T/visible" -maxdepth 1 -name .ksmfs | grep -q . || die "visible, and not listed"
[ -n "$(ls "$T/visible/.ksmfs/store")" ] || die "the control directory lists nothing"
mount_ksmfs size=64m,control=none,merge_on_write=0 "$T/none"
[ ! -e "$T/none/.ksmfs" ] || die "control=none, and there is .ksmfs"
umount "$T/none"
mount_ksmfs size=64m,merge_on_write=0 "$T/later"
attr_is merge_on_write 0 "$T/later" || die "merge_on_write=0 is not so"

# The same figures for programs: each once, with a type that each of them knows and a help text, and the end marked.
python3 - "$M" <<'PY'
import re, sys
from pages import *

with open(f"{sys.argv[1]}/.ksmfs/run", "w") as f:
    f.write("0")  # what is read one after the other is the same
lines = open(f"{sys.argv[1]}/.ksmfs/metrics").read().split("\n")
same(lines[-2:], ["# EOF", ""], "the end")
types, found = {}, {}
for line in lines[:-2]:
    if m := re.fullmatch(r"# TYPE (ksmfs_[a-z_]+) (gauge|counter)", line):
        types[m[1]] = m[2]
    elif m := re.fullmatch(r"(ksmfs_[a-z_]+?)(_total)?(\{\1=\"([a-z-]+)\"\})? (-?[0-9]+)", line):
        same(bool(m[2]), types[m[1]] == "counter", f"the suffix in {line!r}")
        if m[4] is None or m[5] == "1":
            assert m[1] not in found, f"{m[1]} is there twice"
            found[m[1]] = m[4] or int(m[5])
    else:
        assert re.fullmatch(r"# HELP ksmfs_[a-z_]+ [ -~]+", line), line
stats = {"ksmfs_" + name.replace("/", "_"): value for name, value in figures(sys.argv[1]).items()}
for name in "cache_age_ms", "kernel_page_table_bytes", "process_bytes", "helper_bytes", "buffer_bytes", "net_saving": # time goes on, and so does the daemon
    stats["ksmfs_store_" + name] = found["ksmfs_store_" + name]
same(found, stats, "metrics")
PY
