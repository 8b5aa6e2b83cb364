/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/crash/main.c - programs that work on a mount while its workers are killed, and what became of their work.
 *
 * Usage: crash [-s SEED] [-n KILLS] [-r KILLS_A_ROUND] [-j KIND,KIND] [-u KSMFS] MOUNT SUPERVISOR
 *
 * Nothing here knows how ksmfs does it: what an application was told must be so, whoever died. In each round all
 * jobs work until so many workers are dead; then everything is compared, in every second round while more of them die.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "killer.h"
#include "kinds.h"

static const struct kind *const kinds[] = {&mapped_files, &written_files, &direct_files, &names,
					   &listing,	  &held,	  &controls};

static unsigned kills = 200, kills_a_round = 40;
static pid_t supervisor;
static atomic_bool killer_done;

static void *killer_main(void *arg)
{
	killer_run(supervisor, *(const unsigned *)arg);
	atomic_store(&killer_done, true);
	return NULL;
}

/* Kill so many while the jobs do what they do. */
static bool with_kills(unsigned count)
{
	pthread_t killer;
	bool good = true;

	atomic_store(&killer_done, false);
	if (pthread_create(&killer, NULL, killer_main, &count))
		return false;
	while (good && !atomic_load(&killer_done))
		good = run_watch();
	if (!good) {
		killer_stop(); /* it may be waiting for the mount, and is not waited for */
		return false;
	}
	pthread_join(killer, NULL);
	return true;
}

/* What is compared must not come from the caches. */
static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "3", 1) < 0)
		fprintf(stderr, "caches are not dropped: %s\n", strerror(errno));
	close(fd);
}

static bool play_round(unsigned count)
{
	if (!run_begin(WORK) || !with_kills(count) || !run_finish())
		return false;
	drop_caches();
	if (!run_begin(VERIFY) || (run->round % 2 && !with_kills(3)) || !run_finish())
		return false;
	return true;
}

static bool play(void)
{
	if (!run_begin(MAKE) || !run_finish())
		return false;
	while (atomic_load(&run->kills) < kills) {
		unsigned left = kills - atomic_load(&run->kills), before = atomic_load(&run->kills);

		run->round++;
		if (!play_round(left < kills_a_round ? left : kills_a_round))
			return false;
		if (atomic_load(&run->kills) == before) {
			fprintf(stderr, "FAILED: there is nobody to kill\n");
			return false;
		}
	}
	if (!run_begin(VERIFY) || !run_finish())
		return false;
	return run_begin(REMOVE) && run_finish();
}

static void summarise(void)
{
	printf("seed %llu: %u kills and %u upgrades in %u rounds and %.1f s, %llu operations acknowledged, ",
	       (unsigned long long)run->seed, atomic_load(&run->kills), atomic_load(&run->upgrades), run->round,
	       (double)now_ms() / 1000, atomic_load(&run->acknowledged));
	printf("%llu lost, %llu doubled, %llu errors seen by applications; pages_sharing was up to %lu\n",
	       atomic_load(&run->wrong[LOST]), atomic_load(&run->wrong[DOUBLED]), atomic_load(&run->wrong[ERROR]),
	       atomic_load(&run->most_sharing));
	killer_print_points();
}

static bool is_chosen(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
		if (strcspn(at, ",") == len && strncmp(at, name, len) == 0)
			return true;
	return !list;
}

static void start_jobs(const char *list)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (unsigned n = 0; is_chosen(list, kinds[i]->name) && n < kinds[i]->processes; n++)
			run_job(kinds[i], n);
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL);
	const char *list = NULL;
	bool good;
	int c;

	while ((c = getopt(argc, argv, "s:n:r:j:u:")) != -1)
		if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'n')
			kills = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			kills_a_round = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'j')
			list = optarg;
		else if (c == 'u')
			killer_upgrade_to(optarg);
		else
			return 2;
	if (argc - optind != 2 || !run_new(argv[optind], seed))
		return 2;
	supervisor = (pid_t)strtol(argv[optind + 1], NULL, 10);
	if (!killer_read_points())
		printf("no kill points in this build\n");
	fflush(stdout);
	start_jobs(list);
	good = play();
	if (!good)
		run_abandon();
	summarise();
	return good ? 0 : 1;
}
