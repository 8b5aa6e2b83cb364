/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/worker.h - which process serves a mount, and its death. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The child that the supervisor forked last, 0: it has none. */
pid_t worker_of(pid_t supervisor);

/* It runs, and is the supervisor's. */
bool worker_lives(pid_t supervisor, pid_t worker);

/* SIGKILL, to nobody else. */
bool worker_kill(pid_t supervisor, pid_t worker);
