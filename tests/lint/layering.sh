#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# core/ and include/ look neither up at fs/ nor out at FUSE and capabilities; tools/ take the table of
# figures from core/ and nothing else.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

# grep says 0 = violation, 1 = clean, 2 = the lint itself is broken.
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*[<"](fuse|fs/|tools/|sys/capability|.*\.\./)' core include || r=$?
test $r -eq 1
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*"(fs/|core/[a-z_]*\.h)' tools || r=$?
test $r -eq 1
r=0
grep -rnE '#[[:space:]]*include[[:space:]]*"core/' fs | grep -vE '"core/(attrs|base|log|lock|arena|names|volume|failpoint)\.(h|def)"' || r=$?
test $r -eq 1
