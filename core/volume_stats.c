/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/volume_stats.c - every figure, at one instant. */
#include "overhead.h"
#include "profit.h"
#include "volume_inside.h"

/* What is remembered of pages, so that equal ones are found. */
static uint64_t tracking_bytes(struct volume *v)
{
	return frames_metadata_bytes(v->pool.frames) + content_bytes(v->pool.content);
}

/* What the worker has beside all that is counted as metadata. */
static uint64_t process_bytes(struct volume *v)
{
	uint64_t all = overhead_anonymous(), counted = tracking_bytes(v) + itable_private_bytes(v->pool.itable);

	return all > counted ? all - counted : 0;
}

/* Memory of frames that nobody knows to have any. */
static uint64_t unswept_bytes(struct volume *v)
{
	uint64_t all = overhead_file(v->frames_arena.fd);
	uint64_t known = (frames_used(v->pool.frames) + frames_warm(v->pool.frames)) * PAGE_BYTES;

	return all > known ? all - known : 0;
}

static int64_t computed(struct volume *v, enum attr attr, const int64_t *known)
{
	struct pool *p = &v->pool;
	uint64_t size = pool_size_pages(p), charged = p->charged, kept;

	switch (attr) {
	case ATTR_general_profit:
	case ATTR_store_net_saving:
		return 0; /* sums of the others: they come last */
	case ATTR_store_helper_bytes:
		return 0; /* of others, whom the gate does not stop */
	case ATTR_store_size_pages:
		return (int64_t)size;
	case ATTR_store_free_pages:
		return size > charged ? (int64_t)(size - charged) : 0;
	case ATTR_store_inodes:
		return (int64_t)itable_used(p->itable);
	case ATTR_store_frames:
		return (int64_t)frames_used(p->frames);
	case ATTR_store_table_frames:
		return (int64_t)frames_tables(p->frames);
	case ATTR_store_noswap:
		return v->noswap;
	case ATTR_store_warm_frames:
		return (int64_t)frames_warm(p->frames);
	case ATTR_store_data_bytes:
		return known[ATTR_store_data_pages] * PAGE_BYTES;
	case ATTR_store_frame_bytes:
		return (int64_t)((frames_used(p->frames) + frames_warm(p->frames)) * PAGE_BYTES);
	case ATTR_store_unswept_bytes:
		return (int64_t)unswept_bytes(v);
	case ATTR_store_buffer_bytes:
		return (int64_t)overhead_file(v->shared_fd);
	case ATTR_store_ballast_bytes:
		(void)names_bytes(v->names, &kept);
		return (int64_t)kept;
	case ATTR_store_tracking_bytes:
		return (int64_t)tracking_bytes(v);
	case ATTR_store_metadata_bytes:
		return (int64_t)(tracking_bytes(v) + itable_bytes(p->itable));
	case ATTR_store_process_bytes:
		return (int64_t)process_bytes(v);
	case ATTR_store_page_table_bytes:
		return (int64_t)(frames_tables(p->frames) * PAGE_BYTES);
	case ATTR_store_kernel_page_table_bytes:
		return (int64_t)overhead_page_tables();
	case ATTR_store_kernel_tree_bytes:
		return (int64_t)overhead_tree(frames_used(p->frames) + frames_warm(p->frames) +
					      pages_of(itable_bytes(p->itable)));
	case ATTR_store_database_bytes:
		return (int64_t)(names_bytes(v->names, &kept) + v->indexdb_bytes);
	case ATTR_store_cache_bytes:
		return (int64_t)v->cache.bytes;
	case ATTR_store_cache_age_ms:
		return volume_cache_age_ms(v);
	case ATTR_index_entries:
		return (int64_t)content_entries(p->content);
	default:
		ASSERT(!"a computed figure without its sum");
	}
}

void volume_beside(struct volume *v, int shared_fd, pid_t parent)
{
	v->shared_fd = shared_fd;
	v->parent = parent;
}

void volume_stats(struct volume *v, int64_t ret[ATTRS])
{
	gate_close(&v->gate);
	for (unsigned a = 0; a < ATTRS; a++)
		if (attr_rows[a].kind == ATTR_KIND_SETTING)
			ret[a] = (int64_t)pool_setting(&v->pool, a);
		else if (attr_rows[a].kind != ATTR_KIND_COMPUTED)
			ret[a] = counters_sum(v->pool.counters, a);
	for (unsigned a = 0; a < ATTRS; a++)
		if (attr_rows[a].kind == ATTR_KIND_COMPUTED)
			ret[a] = computed(v, a, ret);
	gate_open(&v->gate);
	volume_ask_sample(v);
	ret[ATTR_store_helper_bytes] = (int64_t)overhead_family(v->parent);
	ret[ATTR_general_profit] = profit_general(ret);
	ret[ATTR_store_net_saving] = profit_net(ret);
}
