#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# core/ and include/ look neither up at fs/ nor out at FUSE and capabilities; of tools/ only ksmfs-check,
# which is the check of core/ from outside, looks into core/: the others take its table of figures.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

# grep says 0 = violation, 1 = clean, 2 = the lint itself is broken.
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*[<"](fuse|fs/|tools/|sys/capability|.*\.\./)' core include || r=$?
test $r -eq 1
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*"(fs/|core/[a-z_]*\.h)' tools --exclude=ksmfs-check.c || r=$?
test $r -eq 1
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*"core/' fs | grep -vE '"core/(amount|attrs|base|cgroup|clock|log|lock|arena|names|volume|failpoint|receipt)\.(h|def)"' || r=$?
test $r -eq 1
