// SPDX-License-Identifier: Apache-2.0
// An intrusive doubly linked list that knows its length. A node is in at most one list; a node that is in none points
// at itself. Removing what is not in the list is a bug.
#pragma once

#include "base/defs.h"

struct mp_list_node {
	struct mp_list_node *prev;
	struct mp_list_node *next;
};

struct mp_list {
	struct mp_list_node head;
	size_t count;
};

void mp_list_init(struct mp_list *list);
void mp_list_node_init(struct mp_list_node *node);
bool mp_list_node_linked(const struct mp_list_node *node);
void mp_list_push_back(struct mp_list *list, struct mp_list_node *node);
void mp_list_push_front(struct mp_list *list, struct mp_list_node *node);
void mp_list_remove(struct mp_list *list, struct mp_list_node *node);
struct mp_list_node *mp_list_first(const struct mp_list *list); // NULL when empty
struct mp_list_node *mp_list_pop_front(struct mp_list *list);   // NULL when empty
struct mp_list_node *mp_list_next(const struct mp_list *list,
                                  const struct mp_list_node *node); // NULL at the end
