/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "volume_inside.h"

void ledger_write(struct volume *v)
{
	(void)v;
}
