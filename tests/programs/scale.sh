#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/bench/scale in small: equal data lives where tmpfs is killed, the kernel's count of memory agrees with
# store/net_saving, KSM can be measured beside it, and what is hot and unique is told to be a loss.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh
. "${TESTS:?}/lib.sh"

needs gcc
[ "${SCALE:-}" != small ] || skip "a sanitizer's own memory is no figure"
status=0
timeout -k 20 120 "${SRC:?}/tests/bench/scale" --ksmfs "$KSMFS" --small headline large ksm hot >"$T/log" 2>&1 || status=$?
[ $status = 0 ] || [ $status = 77 ] || die "$(cat "$T/log")"
if grep '^not shown' "$T/log" >"$T/lacking"; then
	skip "$(head -n 1 "$T/lacking")"
fi
