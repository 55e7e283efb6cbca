// SPDX-License-Identifier: Apache-2.0
#include "sim/store/tree.h"

#include <string.h>

void mp_sim_tree_init(struct mp_sim_tree *tree)
{
	memset(tree, 0, sizeof(*tree));
	tree->state = 0x9e3779b97f4a7c15u;
}

struct mp_sim_tree_node *mp_sim_tree_seek(const struct mp_sim_tree *tree, mp_sim_tree_compare compare,
                                          const void *context, const void *key, bool after)
{
	struct mp_sim_tree_node *at = tree->root, *best = NULL;
	while (at != NULL) {
		int order = compare(context, at, key);
		if (order > 0 || (order == 0 && !after)) {
			best = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return best;
}

struct mp_sim_tree_node *mp_sim_tree_find(const struct mp_sim_tree *tree, mp_sim_tree_compare compare,
                                          const void *context, const void *key)
{
	struct mp_sim_tree_node *at = tree->root;
	while (at != NULL) {
		int order = compare(context, at, key);
		if (order == 0)
			return at;
		at = order > 0 ? at->left : at->right;
	}
	return NULL;
}

static void replace_child(struct mp_sim_tree *tree, struct mp_sim_tree_node *parent,
                          struct mp_sim_tree_node *old, struct mp_sim_tree_node *new)
{
	if (parent == NULL)
		tree->root = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
	new->parent = parent;
}

// `node` takes the place of its parent, which becomes its child.
static void rotate_up(struct mp_sim_tree *tree, struct mp_sim_tree_node *node)
{
	struct mp_sim_tree_node *parent = node->parent, *moved;
	replace_child(tree, parent->parent, parent, node);
	if (parent->left == node) {
		moved = node->right;
		parent->left = moved;
		node->right = parent;
	} else {
		moved = node->left;
		parent->right = moved;
		node->left = parent;
	}
	if (moved != NULL)
		moved->parent = parent;
	parent->parent = node;
}

void mp_sim_tree_insert(struct mp_sim_tree *tree, struct mp_sim_tree_node *node, mp_sim_tree_compare compare,
                        const void *context, const void *key)
{
	struct mp_sim_tree_node **link = &tree->root, *parent = NULL;
	while (*link != NULL) {
		parent = *link;
		link = compare(context, parent, key) > 0 ? &parent->left : &parent->right;
	}
	tree->state ^= tree->state << 13;
	tree->state ^= tree->state >> 7;
	tree->state ^= tree->state << 17;
	*node = (struct mp_sim_tree_node){.parent = parent, .priority = tree->state};
	*link = node;
	while (node->parent != NULL && node->parent->priority < node->priority)
		rotate_up(tree, node);
	tree->count++;
}

static struct mp_sim_tree_node *leftmost(struct mp_sim_tree_node *node)
{
	while (node != NULL && node->left != NULL)
		node = node->left;
	return node;
}

static struct mp_sim_tree_node *rightmost(struct mp_sim_tree_node *node)
{
	while (node != NULL && node->right != NULL)
		node = node->right;
	return node;
}

struct mp_sim_tree_node *mp_sim_tree_first(const struct mp_sim_tree *tree)
{
	return leftmost(tree->root);
}

struct mp_sim_tree_node *mp_sim_tree_last(const struct mp_sim_tree *tree)
{
	return rightmost(tree->root);
}

struct mp_sim_tree_node *mp_sim_tree_next(const struct mp_sim_tree_node *node)
{
	if (node->right != NULL)
		return leftmost(node->right);
	while (node->parent != NULL && node->parent->right == node)
		node = node->parent;
	return node->parent;
}

struct mp_sim_tree_node *mp_sim_tree_prev(const struct mp_sim_tree_node *node)
{
	if (node->left != NULL)
		return rightmost(node->left);
	while (node->parent != NULL && node->parent->left == node)
		node = node->parent;
	return node->parent;
}

void mp_sim_tree_clear(struct mp_sim_tree *tree, void (*release)(struct mp_sim_tree_node *node))
{
	struct mp_sim_tree_node *at = tree->root;
	while (at != NULL) {
		if (at->left != NULL) {
			at = at->left;
		} else if (at->right != NULL) {
			at = at->right;
		} else {
			struct mp_sim_tree_node *parent = at->parent;
			if (parent != NULL && parent->left == at)
				parent->left = NULL;
			else if (parent != NULL)
				parent->right = NULL;
			release(at);
			at = parent;
		}
	}
	mp_sim_tree_init(tree);
}
