#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The daemon has run out of memory while pages are written back: nothing is killed and nothing lost; other
# requests are answered meanwhile, and removing a file lets the writers go on.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_in_group size=1g
# Room for what is mapped, the reserve, and 24 MiB of what the daemon needs for it; not for the ballast, too.
limit_group $(($(group_usage) + ((128 + 32 + 24) << 20)))

python3 - "$M/ballast" 80 <<'PY'
import sys
from pages import *

store(sys.argv[1], content("ballast", int(sys.argv[2]) * 256))
PY
cat >"$T/mapped.py" <<'PY'
import mmap, os, sys
from pages import *

fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
os.ftruncate(fd, 128 << 20)
m = mmap.mmap(fd, 128 << 20)
for p in range(128 * 256):
    m[p * PAGE:p * PAGE + PAGE] = page("mapped", p)
m.flush()
m.close()
PY
python3 "$T/mapped.py" "$M/mapped" &
ends_with_test
writer=$!
waits() {
	[ "$(timeout 5 cat "$M/.ksmfs/fault/memory_waits")" -gt 0 ]
}
within 60 waits || die "the limit was not met"
sleep 1
timeout 5 ls "$M" >/dev/null || die "ls is not answered while memory is waited for"
timeout 5 cat "$M/.ksmfs/stats" >/dev/null || die "stats is not answered while memory is waited for"
kill -0 $writer || die "the writer did not wait"
timeout 5 rm "$M/ballast" || die "rm is not answered while memory is waited for"
wait $writer || die "the writer failed"
python3 - "$M/mapped" <<'PY'
import sys
from pages import *

same(open(sys.argv[1], "rb").read(), b"".join(page("mapped", p) for p in range(128 * 256)), "what was stored")
PY
