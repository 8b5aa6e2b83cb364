#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-tidy with the checks of .clang-tidy.
# shellcheck source-path=SCRIPTDIR
. "$SRC/tests/lint/files.sh"

command -v clang-tidy >/dev/null || skip "clang-tidy is not installed"
python3 - "$BUILD" <<'PY' | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$BUILD/tidy" 2>/dev/null
import json, os, shlex, sys

# Only the options that clang knows as well, whatever compiler this build is for.
build = sys.argv[1]
keep = ("-I", "-D", "-std", "-isystem")
commands = json.load(open(os.path.join(build, "compile_commands.json")))
for c in commands:
    words = shlex.split(c["command"])
    c["command"] = shlex.join(["clang"] + [w for w in words[1:] if w.startswith(keep)] + ["-c", c["file"]])
os.makedirs(os.path.join(build, "tidy"), exist_ok=True)
json.dump(commands, open(os.path.join(build, "tidy", "compile_commands.json"), "w"))
# Tests are left out: clang does not know that a failing assertion of cmocka does not return.
files = {os.path.normpath(os.path.join(c["directory"], c["file"])) for c in commands}
print("\n".join(sorted(f for f in files if "/tests/" not in f)))
PY
