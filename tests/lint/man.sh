#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# ksmfs(8) tells every control file, every figure and every mount option, ksmfsctl(1) every command; all format without a warning.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

page=${BUILD:?}/contrib/man/ksmfs.8
bad=$(
	sed -nE 's/^ATTR_[A-Z]+\([a-z_]+, "([^"]+)".*/\1/p' core/attrs.def | while read -r path; do
		grep -qE "^\.It Pa $path( |\$)" "$page" || echo "$path is not in ksmfs(8)"
	done
	sed -nE 's/^TENANT_[A-Z]+\(([a-z_]+),.*/\1/p' fs/tenants.def | while read -r name; do
		sed '1,/^\.Ss Figures of tenants/d; /^\.Ss/q' "$page" | grep -qE "^\.It Pa $name( |\$)" || echo "$name is not in ksmfs(8)"
	done
	"${KSMFS:?}" --help | grep -oE '\b[a-z_]+=' | sort -u | tr -d = | while read -r option; do
		grep -qwF "Cm $option" "$page" || echo "option $option is not in ksmfs(8)"
	done
	sed -nE 's/^[[:space:]]*\{(CAP_[A-Z_]+), ROLE_([A-Z]+), "(.*)"\},/\1 \2 \3/p' fs/privileges.c |
		while read -r cap role reason; do
			role=$(echo "$role" | tr '[:upper:]' '[:lower:]')
			grep -A 1 -xF ".It Dv $cap Pq $role" "$page" | grep -qxF "$reason." || echo "$cap for $role: $reason"
		done
	"$BUILD/tools/ksmfsctl" --help | sed -nE 's/^  ([a-z]+)  .*/\1/p; s/^.*, (--[a-z]+)  .*/\1/p' | while read -r word; do
		grep -qE "^\.It (Cm|Fl .*) $(echo "$word" | sed 's/--/\\\\-/')\\b" "$BUILD/contrib/man/ksmfsctl.1" ||
			echo "$word is not in ksmfsctl(1)"
	done
	for option in size nr_blocks nr_inodes mode uid gid index control merge merge_on_write; do
		"$KSMFS" --help | grep -qw "$option" || echo "option $option is not in --help"
	done
)
[ -z "$bad" ] || { echo "$bad"; exit 1; }
command -v groff >/dev/null || skip "groff is not installed"
for page in ksmfs.8 ksmfs-check.8 ksmfs-stat.1 ksmfsctl.1; do
	warnings=$(groff -mdoc -Tutf8 -ww "$BUILD/contrib/man/$page" 2>&1 >/dev/null)
	[ -z "$warnings" ] || { echo "$warnings"; exit 1; }
done
