/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/worker.h - which process serves a mount, and its death. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* The supervisor's child of that name that was forked last, 0: there is none. */
pid_t worker_of(pid_t supervisor);

/* It is one of its workers, and not dead. */
bool worker_lives(pid_t supervisor, pid_t worker);

/* SIGKILL, to nobody else. */
bool worker_kill(pid_t supervisor, pid_t worker);
