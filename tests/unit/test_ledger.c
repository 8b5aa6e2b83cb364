/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What index.db says after a ledger_write(), asked as people would ask it. */
#include "core/ledger.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "core/volume_inside.h"
#include "fixture.h"

