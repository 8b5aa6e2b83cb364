/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/model/main.c - ksmfs against tmpfs: random operations on both must show the same.
 *
 * Usage: model run TMPFS KSMFS SEED OPERATIONS WORKERS [WORLD]
 *        model replay|minimise TMPFS KSMFS FILE [WORLD]
 *
 * Each worker has a directory of its own on both mounts; two are threads of one process.  WORLD, with one worker:
 * "full", the mounts are small, and what is free is compared, too; "tenants", directories in the root are tenants, which
 * are small; "roomy", they are not; "apart", they are, and the mount is made with domain=dir.  A sequence that differs is kept as a file in
 * $MODEL_OUT (or /tmp), which can be replayed, and minimised: then less of it that differs, too, is in the file.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "generate.h"
#include "run.h"

enum { TREE_EVERY = 400, PIECE = 4000, MINIMISE_S = 60 };

struct worker {
	struct world world;
	uint64_t seed;
	size_t count;
	unsigned number;
	bool failed;
};

static void file_of(uint64_t seed, char name[static 64])
{
	snprintf(name, 64, "%s/model-%llu.ops", getenv("MODEL_OUT") ? getenv("MODEL_OUT") : "/tmp",
		 (unsigned long long)seed);
}

static void tell(uint64_t seed, const struct op *ops, size_t at, const struct why *why)
{
	static _Thread_local char line[OP_LINE_BYTES];
	char name[64];

	op_print(&ops[at], line);
	printf("seed %llu, operation %zu: %s\n  %s\n", (unsigned long long)seed, at, why->text, line);
	file_of(seed, name);
	if (!ops_save(name, why->text, ops, at + 1))
		printf("  %s cannot be written: %s\n", name, strerror(errno));
	fflush(stdout);
}

/* Pieces of some thousand operations, each in a new directory with a seed of its own. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct op *ops = calloc(PIECE, sizeof(*ops));
	struct why why;
	char name[40];
	size_t at;

	if (!ops)
		abort();
	side_begin_thread();
	for (size_t done = 0; done < w->count && !w->failed; done += PIECE) {
		uint64_t seed = w->seed + w->number * 1000003u + done / PIECE;
		size_t count = w->count - done < PIECE ? w->count - done : PIECE;

		generate(seed, w->world.full, w->world.tops, ops, count);
		snprintf(name, sizeof(name), "w%u.%llu", w->number, (unsigned long long)seed);
		w->failed = !run(&w->world, name, ops, count, TREE_EVERY, &at, &why);
		if (w->failed)
			tell(seed, ops, at, &why);
	}
	free(ops);
	return NULL;
}

/* Two workers as threads of this process. */
static bool work_two(const struct worker *first, unsigned count)
{
	struct worker two[2] = {*first, *first};
	pthread_t threads[2];

	two[1].number++;
	for (unsigned i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, work, &two[i]) != 0)
			abort();
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return !two[0].failed && !(count > 1 && two[1].failed);
}

static bool run_all(struct worker w, unsigned workers)
{
	bool good = true;
	int status;

	printf("seed %llu, %zu operations of %u workers%s\n", (unsigned long long)w.seed, w.count, workers,
	       w.world.tops ? ", with tenants" : w.world.full ? ", full" : "");
	fflush(stdout);
	for (; w.number < workers; w.number += 2) {
		pid_t pid = fork();

		if (pid < 0)
			abort();
		if (pid == 0)
			_exit(work_two(&w, workers - w.number > 1 ? 2 : 1) ? 0 : 1);
	}
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			printf("a worker ended: %s\n", strsignal(WTERMSIG(status)));
		good = good && status == 0;
	}
	return good;
}

/* What a worker has left for us, again; and less of it that differs, too. */
static bool again(const struct world *world, const char *file, bool smaller)
{
	static char line[OP_LINE_BYTES];
	struct op *ops;
	struct why why;
	size_t count, at;
	bool good;

	if (!ops_load(file, &ops, &count)) {
		printf("%s: operation %zu is none\n", file, count);
		return false;
	}
	side_begin_thread();
	good = run(world, "again", ops, count, 0, &at, &why);
	if (!good && smaller) {
		count = minimise(world, ops, at + 1, MINIMISE_S);
		if (run(world, "smaller", ops, count, 0, &at, &why))
			at = count - 1;
		if (!ops_save(file, why.text, ops, count))
			printf("%s: %s\n", file, strerror(errno));
		for (size_t i = 0; i < count; i++) {
			op_print(&ops[i], line);
			printf("  %s\n", line);
		}
	}
	if (good)
		printf("%s: %zu operations, no difference\n", file, count);
	else
		printf("%s: operation %zu of %zu: %s\n", file, at + 1, count, why.text);
	free(ops);
	return good;
}

static int usage(void)
{
	fprintf(stderr, "usage: model run TMPFS KSMFS SEED OPERATIONS WORKERS [WORLD]\n"
			"       model replay|minimise TMPFS KSMFS FILE [WORLD]\n"
			"WORLD is full, tenants, roomy, or apart\n");
	return 2;
}

static const struct {
	const char *name;
	struct world world;
} worlds[] = {
	{"full", {.full = true}},
	{"tenants", {.full = true, .tops = true}},
	{"roomy", {.tops = true}},
	{"apart", {.full = true, .tops = true, .apart = true}},
};

int main(int argc, char **argv)
{
	struct world world = {0};
	bool alone = false;

	for (unsigned n = 0; !alone && n < sizeof(worlds) / sizeof(worlds[0]); n++) {
		alone = argc > 5 && strcmp(argv[argc - 1], worlds[n].name) == 0;
		if (alone)
			world = worlds[n].world;
	}
	argc -= alone;
	if (argc < 5)
		return usage();
	world.mounts[0] = argv[2];
	world.mounts[1] = argv[3];
	if (strcmp(argv[1], "run") == 0 && argc == 7) {
		struct worker w = {.world = world, .seed = strtoull(argv[4], NULL, 0),
				   .count = strtoull(argv[5], NULL, 0)};

		return run_all(w, alone ? 1 : (unsigned)strtoul(argv[6], NULL, 0)) ? 0 : 1;
	}
	if (argc == 5 && (strcmp(argv[1], "replay") == 0 || strcmp(argv[1], "minimise") == 0))
		return again(&world, argv[4], argv[1][0] == 'm') ? 0 : 1;
	return usage();
}
