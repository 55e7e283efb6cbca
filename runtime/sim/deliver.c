// SPDX-License-Identifier: Apache-2.0
// Writes on their way to replicas. A replica that answers stores at once; for one that is paused the write lies in its
// inbox as bytes lie in a socket; for one that is gone it becomes a hint.
#include "sim/coord.h"

#include "base/err.h"
#include "base/mem.h"

struct delivery {
	struct mp_list_node node;
	struct mp_sim_mutation *mutation;
	uint64_t wait;
};

static int post(struct mp_list *list, struct mp_sim_mutation *mutation, uint64_t wait)
{
	struct delivery *delivery = mp_calloc(1, sizeof(*delivery));
	if (delivery == NULL)
		return MP_ENOMEM;
	delivery->mutation = mp_sim_mutation_ref(mutation);
	delivery->wait = wait;
	mp_list_node_init(&delivery->node);
	mp_list_push_back(list, &delivery->node);
	return 0;
}

int mp_sim_coord_deliver(struct mp_sim_request *req, const struct mp_sim_replica_set *set,
                         const struct mp_sim_mutation *mutation, uint64_t wait, struct mp_sim_counts *acks)
{
	struct mp_sim_cluster *cluster = req->conn->owner->cluster;
	struct mp_sim_mutation *copy = NULL;
	int rc = 0;
	req->executed = true;
	for (size_t i = 0; rc == 0 && i < set->count; i++) {
		struct mp_sim_node *node = cluster->nodes[set->nodes[i]];
		if (mp_sim_node_answers(node)) {
			rc = mp_sim_apply(&node->store, mutation);
			mp_sim_count_node(acks, node);
			continue;
		}
		if (copy == NULL)
			copy = mp_sim_mutation_copy(mutation);
		if (copy == NULL)
			rc = MP_ENOMEM;
		else
			rc = post(node->running ? &node->inbox : &node->hints, copy, wait);
	}
	mp_sim_mutation_unref(copy);
	return rc < 0 ? mp_sim_fail_nomem(&req->err) : 0;
}

static void deliver_all(struct mp_sim_node *node, struct mp_list *list)
{
	struct mp_list_node *first;
	while ((first = mp_list_pop_front(list)) != NULL) {
		struct delivery *delivery = MP_CONTAINER_OF(first, struct delivery, node);
		if (mp_sim_apply(&node->store, delivery->mutation) == 0)
			mp_sim_wait_ack(node->cluster, delivery->wait, node);
		mp_sim_mutation_unref(delivery->mutation);
		mp_free(delivery);
	}
}

void mp_sim_deliver_inbox(struct mp_sim_node *node)
{
	deliver_all(node, &node->inbox);
}

void mp_sim_deliver_hints(struct mp_sim_node *node)
{
	deliver_all(node, &node->hints);
}

void mp_sim_inbox_to_hints(struct mp_sim_node *node)
{
	struct mp_list_node *first;
	while ((first = mp_list_pop_front(&node->inbox)) != NULL)
		mp_list_push_back(&node->hints, first);
}

void mp_sim_deliver_drop(struct mp_sim_node *node, bool hints_too)
{
	struct mp_list *lists[2] = {&node->inbox, &node->hints};
	for (size_t i = 0; i < (hints_too ? 2 : 1); i++) {
		struct mp_list_node *first;
		while ((first = mp_list_pop_front(lists[i])) != NULL) {
			struct delivery *delivery = MP_CONTAINER_OF(first, struct delivery, node);
			mp_sim_mutation_unref(delivery->mutation);
			mp_free(delivery);
		}
	}
}
