#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The README's first command in a clean copy: contrib/demo installs, works, and tells what was saved.
# shellcheck source-path=SCRIPTDIR source=../mount/lib.sh source=../mount/private.sh
# In a mount namespace of its own, so that nothing is installed where others see it.
. "${TESTS:?}/private.sh"
. "${TESTS:?}/lib.sh"

needs meson ninja
[ "${SCALE:-}" != small ] || skip "builds without a sanitizer, whatever this build has"
mount -t tmpfs tmpfs /usr/local
mkdir "$T/source"
(cd "${SRC:?}" && tar cf - --exclude='./build*' --exclude=./.git .) | tar xf - -C "$T/source"
(cd / && env -u CC DEMO=python "$T/source/contrib/demo") >"$T/log" 2>&1 || die "$(tail -n 20 "$T/log")"
[ -x /usr/local/sbin/ksmfs ] || [ -x /usr/local/bin/ksmfs ] || die "it is not installed: $(cat "$T/log")"
saved=$(awk '$1 == "saved" && $2 != "while" { print int($2) }' "$T/log")
[ "${saved:-0}" -gt 0 ] || die "nothing was saved: $(cat "$T/log")"
echo "saved $saved MiB"
