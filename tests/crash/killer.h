/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/killer.h - who kills workers: at random moments, at the daemon's named kill points, and in
 * the middle of upgrades. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Read the names of the kill points, if the build has them; 0: it has none. */
unsigned killer_read_points(void);

/* Let this program go on with the mount now and then. */
void killer_upgrade_to(const char *program);

/* Kill workers until `kills` of them have died, or killer_stop() is called. */
void killer_run(pid_t supervisor, unsigned kills);
void killer_stop(void);

/* How often each point has killed, in lines. */
void killer_print_points(void);
