#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Mounts know nothing of each other: same data in both, nothing shared, one goes and the other stays.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

mount_ksmfs size=64m "$T/one"
mount_ksmfs size=128m "$T/two"
mount_ksmfs size=64m "$T/three"
for at in one two three; do
	python3 -c 'import sys; from pages import *; store(sys.argv[1], content("s", 100))' "$T/$at/f"
	expect store/data_pages 100 "$T/$at"
	expect pages_sharing 0 "$T/$at"
done
set_attr run 0 "$T/one"
attr_is run 1 "$T/two" || die "run of another mount changed"
check "$T/two"
unmount "$T/two" || die "umount"
for at in one three; do
	cmp "$T/one/f" "$T/$at/f"
	check "$T/$at"
done
