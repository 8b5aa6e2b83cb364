/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/killer.h - who kills workers: at random moments, and at the daemon's named kill points. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Read the names of the kill points, if the build has them; 0: it has none. */
unsigned killer_read_points(void);

/* Kill workers until `kills` of them have died, or killer_stop() is called. */
void killer_run(pid_t supervisor, unsigned kills);
void killer_stop(void);

/* How often each point has killed, in lines. */
void killer_print_points(void);
