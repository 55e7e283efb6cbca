// SPDX-License-Identifier: Apache-2.0
// An ordered set of nodes that live in their owners' storage: a treap with parent links. Nodes are never taken out one
// by one (a deletion in Cassandra is a write); the whole tree is released at once. Same insertions, same shape.
#pragma once

#include "base/defs.h"

struct mp_sim_tree_node {
	struct mp_sim_tree_node *parent;
	struct mp_sim_tree_node *left;
	struct mp_sim_tree_node *right;
	uint64_t priority;
};

struct mp_sim_tree {
	struct mp_sim_tree_node *root;
	size_t count;
	uint64_t state;
};

// How `node` stands to `key`: negative when it comes before.
typedef int (*mp_sim_tree_compare)(const void *context, const struct mp_sim_tree_node *node, const void *key);

void mp_sim_tree_init(struct mp_sim_tree *tree);
struct mp_sim_tree_node *mp_sim_tree_find(const struct mp_sim_tree *tree, mp_sim_tree_compare compare,
                                          const void *context, const void *key);
// The first node that is not before `key`; with `after`, the first that is behind it. NULL: none.
struct mp_sim_tree_node *mp_sim_tree_seek(const struct mp_sim_tree *tree, mp_sim_tree_compare compare,
                                          const void *context, const void *key, bool after);
// `key` is the node's own and is not in the tree yet.
void mp_sim_tree_insert(struct mp_sim_tree *tree, struct mp_sim_tree_node *node, mp_sim_tree_compare compare,
                        const void *context, const void *key);
struct mp_sim_tree_node *mp_sim_tree_first(const struct mp_sim_tree *tree);
struct mp_sim_tree_node *mp_sim_tree_last(const struct mp_sim_tree *tree);
struct mp_sim_tree_node *mp_sim_tree_next(const struct mp_sim_tree_node *node);
struct mp_sim_tree_node *mp_sim_tree_prev(const struct mp_sim_tree_node *node);
// Calls `release` for every node, in no order that matters; the tree is empty afterwards.
void mp_sim_tree_clear(struct mp_sim_tree *tree, void (*release)(struct mp_sim_tree_node *node));
