#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An application waits for milliseconds when a worker is killed: tests/crash/gap.c, with little in the mount and with 4 GiB.
#
# GAP_KILLS: how many deaths each. GAP_UNIQUE=1: and 4 GiB of pages of which no two are equal, where memory is enough.
# shellcheck source-path=SCRIPTDIR/../mount
. "${TESTS:?}/lib.sh"
needs_resends

: "${BUILD:?}"
mount_ksmfs size=5g
super=$(supervisor)

# The last line is the p99 in ms; on a machine that does much else it is far above what it is on one that does not.
gap() {
	"$BUILD/tests/crash/gap" "$M" "$super" "$1" "$2" "$3" >"$T/gap" || die "$1 MiB $2"
	sed '$d' "$T/gap"
	[ "${SCALE:-}" = small ] || [ "$(tail -n 1 "$T/gap")" -le "$4" ] || die "p99 is above $4 ms"
	check
}

if [ "${SCALE:-}" = small ]; then
	gap 64 unique "${GAP_KILLS:-10}" 0
	exit
fi
gap 64 unique "${GAP_KILLS:-30}" 1000
gap 4096 shared "${GAP_KILLS:-30}" 3000
[ -z "${GAP_UNIQUE:-}" ] || gap 4096 unique "${GAP_KILLS:-30}" 3000
