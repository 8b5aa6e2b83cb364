#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The library of core/ needs no symbol of libfuse or libcap, and prints nothing.
set -eu
library=$(find "${BUILD:?}/core" -name 'libcore.a')
[ -n "$library" ]
r=0
nm -u "$library" | grep -nE '\b(fuse_|cap_|printf$|puts$|perror$|exit$)' || r=$?
test $r -eq 1
