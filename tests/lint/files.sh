# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# tests/lint/files.sh - sourced by lints: which files are ours. Generated and foreign files are not.

set -eu
cd "${SRC:?}"

ours() {
	find . \( -name '.git' -o -name 'build*' -o -name b -o -name __pycache__ \) -prune -o -type f \
		\( "$@" \) -print | sort
}

c_files() {
	ours -name '*.c' -o -name '*.h'
}

scripts() {
	ours -name '*.sh'
	find . \( -name '.git' -o -name 'build*' -o -name b \) -prune -o -type f -perm -u+x ! -name '*.py' ! -name '*.sh' -print | sort
}

all_text() {
	ours -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.sh' -o -name '*.py' -o -name '*.in' \
		-o -name '*.md' -o -name 'meson*' -o -name '*.sql'
	scripts | grep -v '\.sh$'
}

skip() {
	echo "skipped: $*"
	exit 77
}
