#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs --recover has a mount served again, and says whether that worked.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"
needs_resends

complains() {
	status=0
	"$@" >"$T/out" 2>"$T/err" || status=$?
	[ $status = 32 ] || die "$*: exit status $status"
	[ "$(wc -l <"$T/err")" = 1 ] || die "$*: not one line: $(cat "$T/err")"
}

complains "$KSMFS" --recover "$T"
grep -q 'no FUSE file system' "$T/err" || die "of no mount: $(cat "$T/err")"
complains "$KSMFS" --recover "$T/nowhere"

mount_with_log
echo content >"$M/f"
[ "$("$KSMFS" --recover "$M")" = "$M: is being served" ] || die "of a mount that is served"
before=$(worker)
[ "$before" = "$(worker)" ] || die "a worker that served was ended"

wear_out
chmod 755 "$T"
ln -s mnt "$T/link"
complains setpriv --reuid 65534 --clear-groups "$KSMFS" --recover "$M"
grep -q 'not permitted' "$T/err" || die "by somebody else: $(cat "$T/err")"
rests || die "somebody else was heard"
answer=$(timeout 20 "$KSMFS" --recover "$T/link" 2>&1) || die "of a mount that rests: $answer"
[ "$answer" = "$T/link: is served again" ] || die "of a mount that rests: $answer"
[ "$(cat "$M/f")" = content ] || die "content"
check

# In vain.
wear_out
first=$(role ksmfs-rest)
python3 - "$M" "$first" "$T/ready" <<'END' &
import sys
from worker import *
open(sys.argv[3], "w").close()
while process("ksmfs-rest", sys.argv[1]) == int(sys.argv[2]):
    pass
wear_out(sys.argv[1])
END
killer=$!
within 20 test -e "$T/ready"
complains timeout 20 "$KSMFS" --recover "$M"
grep -q 'die as before' "$T/err" || die "in vain: $(cat "$T/err")"
wait $killer
timeout 20 "$KSMFS" --recover "$M" >/dev/null
