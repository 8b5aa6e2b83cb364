# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# tests/mount/private.sh - sourced before lib.sh by a test of root's that wants a mount namespace of its own.

if [ "$(id -u)" = 0 ] && [ -z "${PRIVATE:-}" ]; then
	unshare -m true 2>/dev/null || {
		echo "skipped: no mount namespace of one's own can be had (in a chroot, for one)"
		exit 77
	}
	exec env PRIVATE=yes unshare -m "$0"
fi
