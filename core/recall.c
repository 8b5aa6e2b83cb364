/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/recall.c - what is shared was in the index, and shall be again.
 *
 * index.db has a row with a digest for most of these frames, and could only say again what their reference counts say
 * already, of an earlier moment: a digest would have to be compared with the bytes in any case, and making one is
 * what that costs.  So it is not asked.
 *
 * A frame that two slots refer to is written in place by nobody, so it can be pinned where it is met, without the page
 * locks of its slots.  A frame with one slot cannot, and is the scanner's.
 */
#include "recall.h"

enum { LOOK = 4096 /* frames, most of which may have nothing to do with us */ };

static bool is_wanted(const struct frame_info *info)
{
	return info->refs > 1 && !info->indexed && !info->untracked && !info->table && !info->free;
}

static void enter(struct pool *p, uint32_t frame)
{
	struct frame_info info = frames_look(p->frames, frame); /* pinned: it stays what it is */
	const void *page = frames_data(p->frames, frame);
	uint32_t like;

	if (is_wanted(&info) && content_find(p->content, digest_tag(digest_page(p->key, info.domain, page)),
					     info.domain, page, frame, &like) == CONTENT_FOUND)
		content_unpin(p->content, like); /* the scanner brings them together */
}

bool recall_some(struct pool *p, uint32_t *io_frame)
{
	uint32_t frame = MAX(*io_frame, (uint32_t)FRAMES_FIRST), end = frames_end(p->frames);
	unsigned pages = 0;
	bool more;

	gate_enter(p->gate);
	more = pool_setting(p, ATTR_run) == 1;
	for (unsigned n = 0; more && n < LOOK && pages < RECALL_PAGES && frame < end; n++, frame++) {
		struct frame_info info = frames_look(p->frames, frame);

		if (!is_wanted(&info) || !frames_pin_shared(p->frames, frame))
			continue;
		enter(p, frame);
		content_unpin(p->content, frame);
		pages++;
	}
	gate_leave(p->gate);
	*io_frame = frame;
	return more && frame < end;
}
