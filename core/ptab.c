/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core/ptab.c - a tree that grows at its root.
 *
 *   direct -> leaf       the direct slots are copied into a node, which becomes the root   [raise_root]
 *   root   -> child 0    of a new root, when an index beyond the tree's span is needed     [raise_root]
 *   direct -> a root     of any height without children, where all of them are holes       [start_tree]
 *   nothing -> child     on the way down to an index                                       [ptab_extend]
 *   node   -> nothing    when all of it has been cleared, or nothing is left in it         [clear_node, ptab_prune]
 */
#include "ptab.h"

#include "failpoint.h"

enum { FANOUT_BITS = 10 };

_Static_assert(PTAB_FANOUT == 1 << FANOUT_BITS, "a node is one frame");

/* Slots under a node of this level; level 1 is a leaf. */
static uint64_t span(unsigned level)
{
	return level ? UINT64_C(1) << (FANOUT_BITS * level) : INODE_DIRECT;
}

static unsigned root_height(uint64_t root)
{
	return (unsigned)(root >> 32);
}

static uint64_t root_word(unsigned height, uint32_t frame)
{
	return (uint64_t)height << 32 | frame;
}

static _Atomic uint32_t *node_at(const struct frames *f, uint32_t frame)
{
	return frames_data(f, frame);
}

static unsigned child_of(uint64_t index, unsigned level)
{
	return (index >> (FANOUT_BITS * (level - 1))) & (PTAB_FANOUT - 1);
}

/* The slot, or NULL and the first index behind what is missing. */
static _Atomic uint32_t *descend(const struct inode *i, const struct frames *f, uint64_t index,
				 uint64_t *ret_skip_to)
{
	uint64_t root = i->record->root;
	unsigned level = root_height(root);
	uint32_t frame = (uint32_t)root;

	if (index >= span(level)) {
		*ret_skip_to = UINT64_MAX;
		return NULL;
	}
	if (!level)
		return &i->record->direct[index];
	for (; level > 1; level--) {
		frame = node_at(f, frame)[child_of(index, level)];
		if (!frame) {
			*ret_skip_to = (index | (span(level - 1) - 1)) + 1;
			return NULL;
		}
	}
	return &node_at(f, frame)[child_of(index, 1)];
}

_Atomic uint32_t *ptab_slot(const struct inode *i, const struct frames *f, uint64_t index)
{
	uint64_t skip_to;

	return descend(i, f, index, &skip_to);
}

_Atomic uint32_t *ptab_next(const struct inode *i, const struct frames *f, uint64_t from,
			    uint64_t end, uint64_t *ret_index)
{
	while (from < end) {
		uint64_t skip_to = 0;
		_Atomic uint32_t *slot = descend(i, f, from, &skip_to);

		if (!slot) {
			from = skip_to;
			continue;
		}
		if (*slot != SLOT_HOLE) {
			*ret_index = from;
			return slot;
		}
		from++;
	}
	return NULL;
}

_Atomic uint32_t *ptab_leaf(const struct inode *i, const struct frames *f, uint64_t *io_index, unsigned *ret_count)
{
	unsigned count = root_height(i->record->root) ? (unsigned)PTAB_FANOUT : (unsigned)INODE_DIRECT;
	_Atomic uint32_t *slot = NULL;
	uint64_t index = *io_index & ~(uint64_t)(count - 1), next = index;

	while (!slot && next < FILE_PAGES_MAX) {
		index = next;
		slot = descend(i, f, index, &next);
	}
	*io_index = index;
	*ret_count = count;
	return slot;
}

static unsigned height_for(uint64_t index, unsigned height)
{
	while (index >= span(height))
		height++;
	return height;
}

/* There is neither a tree nor anything that would have to be put into one. */
static bool is_bare(const struct inode *i)
{
	unsigned n = 0;

	while (n < INODE_DIRECT && i->record->direct[n] == SLOT_HOLE)
		n++;
	return !i->record->root && n == INODE_DIRECT;
}

unsigned ptab_missing(const struct inode *i, const struct frames *f, uint64_t index)
{
	uint64_t root = i->record->root;
	unsigned height = root_height(root), level = height_for(index, height), frame = (uint32_t)root;
	unsigned raised = level - height;

	if (raised && is_bare(i))
		return level;
	if (raised) /* the new root's child 0 is the old tree, and the index is not in it */
		return raised + level - 1;
	for (; level > 1; level--) {
		frame = node_at(f, frame)[child_of(index, level)];
		if (!frame)
			return level - 1;
	}
	return 0;
}

static void raise_root(struct inode *i, const struct frames *f, uint32_t spare)
{
	uint64_t root = i->record->root;
	_Atomic uint32_t *node = node_at(f, spare);

	if (root_height(root))
		node[0] = (uint32_t)root;
	else
		for (unsigned n = 0; n < INODE_DIRECT; n++)
			node[n] = i->record->direct[n];
	failpoint_kill(KILL_root_before);
	i->record->root = root_word(root_height(root) + 1, spare);
	failpoint_kill(KILL_root_raised);
}

/* Empty: what it would take over are holes, and a leaf of them would hold nothing. */
static void start_tree(struct inode *i, unsigned height, uint32_t spare)
{
	failpoint_kill(KILL_root_before);
	i->record->root = root_word(height, spare);
	failpoint_kill(KILL_root_raised);
}

unsigned ptab_extend(struct inode *i, const struct frames *f, uint64_t index, const uint32_t *spare)
{
	unsigned used = 0, level = height_for(index, 0);
	uint32_t frame;

	if (level && is_bare(i))
		start_tree(i, level, spare[used++]);
	while (index >= span(root_height(i->record->root)))
		raise_root(i, f, spare[used++]);
	level = root_height(i->record->root);
	frame = (uint32_t)i->record->root;
	for (; level > 1; level--) {
		_Atomic uint32_t *child = &node_at(f, frame)[child_of(index, level)];

		if (!*child) {
			failpoint_kill(KILL_node_before);
			*child = spare[used++];
			failpoint_kill(KILL_node_linked);
		}
		frame = *child;
	}
	return used;
}

struct clear {
	const struct frames *frames;
	uint64_t from, end;
	uint32_t *slot, *node;
	unsigned count, max, nodes;
	bool full; /* no place for what else must be told: stop */
};

static bool clear_slot(struct clear *c, _Atomic uint32_t *slot)
{
	if (*slot == SLOT_HOLE)
		return true;
	c->full = c->count == c->max;
	if (c->full)
		return false;
	c->slot[c->count++] = atomic_exchange(slot, SLOT_HOLE);
	return true;
}

/* True when all of the node has been cleared and its parent may forget it. */
static bool clear_node(struct clear *c, uint32_t frame, unsigned level, uint64_t base)
{
	_Atomic uint32_t *node = node_at(c->frames, frame);
	uint64_t step = level > 1 ? span(level - 1) : 1;
	uint64_t first = c->from > base ? (c->from - base) / step : 0;

	for (uint64_t n = first; n < PTAB_FANOUT && base + n * step < c->end && !c->full; n++) {
		if (level == 1) {
			clear_slot(c, &node[n]);
		} else if (node[n] && clear_node(c, node[n], level - 1, base + n * step)) {
			c->node[c->nodes++] = node[n];
			node[n] = 0;
		}
	}
	/* the highest root could span more than a file ever has */
	if (c->full || c->from > base || c->end < MIN(base + span(level), FILE_PAGES_MAX))
		return false;
	c->full = c->nodes == PTAB_SPARES;
	return !c->full;
}

/* All of the tree is holes, and so are the direct slots from now on. */
static void drop_root(struct inode *i)
{
	for (unsigned n = 0; n < INODE_DIRECT; n++)
		i->record->direct[n] = SLOT_HOLE;
	i->record->root = 0;
}

unsigned ptab_clear(struct inode *i, const struct frames *f, uint64_t from, uint64_t end,
		    uint32_t *ret_slot, unsigned max, uint32_t *ret_node, unsigned *ret_nodes)
{
	struct clear c = { .frames = f, .from = from, .end = end,
			   .slot = ret_slot, .node = ret_node, .max = max };
	uint64_t root = i->record->root;

	if (root_height(root)) {
		if (from < end && clear_node(&c, (uint32_t)root, root_height(root), 0)) {
			drop_root(i);
			c.node[c.nodes++] = (uint32_t)root;
		}
	} else {
		for (uint64_t n = from; n < MIN(end, (uint64_t)INODE_DIRECT); n++)
			if (!clear_slot(&c, &i->record->direct[n]))
				break;
	}
	*ret_nodes = c.nodes;
	return c.count;
}

unsigned ptab_prune(struct inode *i, const struct frames *f, uint64_t index, uint32_t *ret_node)
{
	uint64_t root = i->record->root;
	unsigned height = root_height(root), depth = 0, n = 0;
	uint32_t way[PTAB_LEVELS_MAX] = { (uint32_t)root }, child;

	if (!height || index >= span(height))
		return 0;
	while (depth + 1 < height && (child = node_at(f, way[depth])[child_of(index, height - depth)]))
		way[++depth] = child;
	for (bool more = true; more && page_is_zero(frames_data(f, way[depth])); n++) {
		ret_node[n] = way[depth];
		failpoint_kill(KILL_node_empty);
		more = depth-- > 0;
		if (more)
			node_at(f, way[depth])[child_of(index, height - depth)] = 0;
		else
			drop_root(i);
		failpoint_kill(KILL_node_unlinked);
	}
	return n;
}

static int walk(const struct frames *f, uint32_t frame, unsigned level, ptab_visit *visit, void *arg)
{
	int r = visit(arg, frame);

	for (unsigned n = 0; !r && level > 1 && n < PTAB_FANOUT; n++) {
		uint32_t child = node_at(f, frame)[n];

		if (child)
			r = walk(f, child, level - 1, visit, arg);
	}
	return r;
}

int ptab_walk_nodes(const struct inode *i, const struct frames *f, ptab_visit *visit, void *arg)
{
	uint64_t root = i->record->root;

	return root_height(root) ? walk(f, (uint32_t)root, root_height(root), visit, arg) : 0;
}
