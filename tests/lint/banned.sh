#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Functions that overflow, are not safe in threads, or hide errors.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

r=0
c_files | xargs grep -nE \
	'\b(strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|strerror_l|tmpnam|mktemp|alloca|system|popen|asctime|ctime|localtime|gmtime|rand|usleep|setjmp|longjmp)[[:space:]]*\(' ||
	r=$?
test $r -eq 123
# Only main prints: core never does.
r=0
grep -nE '\b(printf|fprintf|puts|perror|exit|abort|assert)[[:space:]]*\(' core/*.c | grep -v '^core/base.c:' || r=$?
test $r -eq 1
