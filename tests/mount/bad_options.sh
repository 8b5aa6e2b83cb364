#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An option that is unknown, refused or malformed is named in one line, and nothing is mounted.
# shellcheck source-path=SCRIPTDIR
. "${TESTS:?}/lib.sh"

for option in huge=always mpol=bind:0 frobnicate frobnicate=1 size= size=0x size=-1 size=1z size=101x% \
	size=99999999999999999999 nr_blocks=x nr_inodes=-3 nr_inodes=x mode=9 mode=rwx uid=nobody-at-all gid=x \
	uid=-2 control=perhaps control= merge=some merge= merge_on_write=2 merge_on_write=yes index=; do
	refused "${option%%=*}" "$KSMFS" -o "$option" src "$M"
	refused "${option%%=*}" "$KSMFS" -o "size=1m,$option,mode=700" src "$M"
done

# The command line itself.
refused '.' "$KSMFS"
refused '.' "$KSMFS" src
refused '.' "$KSMFS" -o
refused '.' "$KSMFS" --frobnicate src "$M"
refused '.' "$KSMFS" src "$M" more
refused 'recover needs a MOUNTPOINT' "$KSMFS" --recover
refused 'upgrade needs a MOUNTPOINT' "$KSMFS" --upgrade src "$M"

"$KSMFS" --help | grep -q 'size=' || die "--help does not tell the options"
"$KSMFS" --version | grep -q '^ksmfs [0-9]' || die "--version"
