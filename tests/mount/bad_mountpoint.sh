#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mount point that is not there, or is not a directory.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

refused "$T/absent.*No such file" "$KSMFS" src "$T/absent"
touch "$T/file"
refused "$T/file.*[Nn]ot a directory" "$KSMFS" src "$T/file"
refused '.' "$KSMFS" src ''
