#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A database directory that is absent, not writable, or itself on a ksmfs mount.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

refused "$T/absent" "$KSMFS" -o "index=$T/absent" src "$M"
touch "$T/file"
refused "$T/file" "$KSMFS" -o "index=$T/file" src "$M"
[ -d /proc/sys ] && refused /proc/sys "$KSMFS" -o index=/proc/sys src "$M"

mkdir "$T/readonly"
mount -t tmpfs -o ro none "$T/readonly"
status=0
(refused "$T/readonly" "$KSMFS" -o "index=$T/readonly" src "$M") || status=1
umount "$T/readonly"
[ $status = 0 ] || die "a read-only directory"

mount_ksmfs size=64m "$T/other"
mkdir "$T/other/db"
refused "$T/other/db.*ksmfs" "$KSMFS" -o "index=$T/other/db" src "$M"
[ -z "$(ls -A "$T/other/db")" ] || die "something was left in the refused directory"
