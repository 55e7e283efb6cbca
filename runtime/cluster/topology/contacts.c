// SPDX-License-Identifier: Apache-2.0
// Invariant: `patience` runs while a name is being resolved, unless there was no memory for it.
#include "cluster/topology/contacts.h"

#include <string.h>

#include "base/mem.h"
#include "cluster/topology/cluster.h"

static size_t count_of(const struct mp_contacts *contacts)
{
	return contacts->all == NULL ? 0 : contacts->cluster->config->contact_point_count;
}

// Names that take too long have failed.
static void on_patience(void *data)
{
	struct mp_contacts *contacts = data;
	for (size_t i = 0; i < count_of(contacts); i++)
		if (contacts->all[i].resolve != NULL)
			contacts->all[i].done = contacts->all[i].failed = true;
	mp_contacts_cancel(contacts);
	contacts->on_answer(contacts->owner);
}

void mp_contacts_init(struct mp_contacts *contacts, const struct mp_cluster *cluster)
{
	*contacts = (struct mp_contacts){.cluster = cluster};
	mp_timer_init(&contacts->patience, cluster->loop, on_patience, contacts);
}

static void free_all(struct mp_contacts *contacts)
{
	for (size_t i = 0; i < count_of(contacts); i++)
		mp_free(contacts->all[i].addrs);
	mp_free(contacts->all);
	contacts->all = NULL;
}

void mp_contacts_deinit(struct mp_contacts *contacts)
{
	free_all(contacts);
}

struct mp_contact *mp_contacts_new(struct mp_contacts *contacts, size_t count)
{
	struct mp_contact *all = mp_calloc(count + 1, sizeof(*all));
	for (size_t i = 0; all != NULL && i < count; i++)
		all[i].contacts = contacts;
	return all;
}

void mp_contacts_forget(struct mp_contacts *contacts)
{
	mp_contacts_cancel(contacts);
	free_all(contacts);
}

void mp_contacts_take(struct mp_contacts *contacts, struct mp_contact *all)
{
	contacts->all = all;
}

void mp_contacts_begin(struct mp_contacts *contacts)
{
	mp_contacts_cancel(contacts);
	for (size_t i = 0; i < count_of(contacts); i++)
		contacts->all[i].done = contacts->all[i].failed = false;
}

void mp_contacts_cancel(struct mp_contacts *contacts)
{
	mp_timer_stop(&contacts->patience);
	for (size_t i = 0; i < count_of(contacts); i++) {
		if (contacts->all[i].resolve != NULL)
			mp_resolve_cancel(contacts->all[i].resolve);
		contacts->all[i].resolve = NULL;
	}
}

// Without memory the name is unknown, and TLS asks for more: a certificate for the address.
static void remember(struct mp_contact *contact, const struct mp_addr *addrs, size_t count)
{
	mp_free(contact->addrs);
	contact->addrs = mp_alloc(count * sizeof(*addrs));
	contact->addr_count = contact->addrs != NULL ? count : 0;
	if (contact->addrs != NULL)
		memcpy(contact->addrs, addrs, count * sizeof(*addrs));
}

const char *mp_contacts_name_of(const struct mp_contacts *contacts, const struct mp_addr *addr)
{
	for (size_t i = 0; i < count_of(contacts); i++)
		for (size_t k = 0; k < contacts->all[i].addr_count; k++)
			if (mp_addr_eq(&contacts->all[i].addrs[k], addr))
				return contacts->cluster->config->contact_points[i].host;
	return NULL;
}

static void on_resolved(void *data, int rc, const struct mp_addr *addrs, size_t count)
{
	struct mp_contact *contact = data;
	struct mp_contacts *contacts = contact->contacts;
	contact->resolve = NULL;
	contact->done = true;
	contact->failed = rc != 0;
	if (rc == 0)
		remember(contact, addrs, count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		contacts->on_addr(contacts->owner, &addrs[i]);
	contacts->on_answer(contacts->owner);
}

static void ask(struct mp_contacts *contacts, size_t i)
{
	const struct mp_contact_point *point = &contacts->cluster->config->contact_points[i];
	struct mp_contact *contact = &contacts->all[i];
	struct mp_addr addr;
	int rc = 0;
	if (mp_addr_parse_ip(point->host, point->port, &addr) == 0) {
		contact->done = true;
		contacts->on_addr(contacts->owner, &addr);
		return;
	}
	contact->resolve =
		mp_loop_resolve(contacts->cluster->loop, point->host, point->port, on_resolved, contact, &rc);
	contact->done = contact->failed = contact->resolve == NULL;
}

void mp_contacts_ask(struct mp_contacts *contacts)
{
	for (size_t i = 0; i < count_of(contacts); i++)
		if (!contacts->all[i].done && contacts->all[i].resolve == NULL)
			ask(contacts, i);
	if (mp_contacts_are_resolving(contacts) &&
	    mp_timer_start_ms(&contacts->patience, contacts->cluster->config->connect_timeout_ms) != 0)
		mp_log_write(contacts->cluster->log, MP_LOG_WARN,
		             "out of memory for a timer: names have no deadline");
}

bool mp_contacts_are_resolving(const struct mp_contacts *contacts)
{
	for (size_t i = 0; i < count_of(contacts); i++)
		if (contacts->all[i].resolve != NULL)
			return true;
	return false;
}
