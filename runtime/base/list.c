// SPDX-License-Identifier: Apache-2.0
// A ring around the list's head. Invariant: a node's neighbours point back at it, and a node in no list is a
// ring of its own.
#include "base/list.h"

void mp_list_init(struct mp_list *list)
{
	mp_list_node_init(&list->head);
	list->count = 0;
}

void mp_list_node_init(struct mp_list_node *node)
{
	node->prev = node;
	node->next = node;
}

bool mp_list_node_linked(const struct mp_list_node *node)
{
	return node->next != node;
}

static void link_between(struct mp_list *list, struct mp_list_node *node, struct mp_list_node *prev,
                         struct mp_list_node *next)
{
	mp_assert(!mp_list_node_linked(node));
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
	list->count++;
}

void mp_list_push_back(struct mp_list *list, struct mp_list_node *node)
{
	link_between(list, node, list->head.prev, &list->head);
}

void mp_list_push_front(struct mp_list *list, struct mp_list_node *node)
{
	link_between(list, node, &list->head, list->head.next);
}

void mp_list_remove(struct mp_list *list, struct mp_list_node *node)
{
	mp_assert(mp_list_node_linked(node));
	mp_assert(list->count > 0);
	node->prev->next = node->next;
	node->next->prev = node->prev;
	mp_list_node_init(node);
	list->count--;
	mp_assert((list->count == 0) == (list->head.next == &list->head));
}

struct mp_list_node *mp_list_first(const struct mp_list *list)
{
	return list->count > 0 ? list->head.next : NULL;
}

struct mp_list_node *mp_list_pop_front(struct mp_list *list)
{
	struct mp_list_node *node = mp_list_first(list);
	if (node != NULL)
		mp_list_remove(list, node);
	return node;
}

struct mp_list_node *mp_list_next(const struct mp_list *list, const struct mp_list_node *node)
{
	return node->next == &list->head ? NULL : node->next;
}
