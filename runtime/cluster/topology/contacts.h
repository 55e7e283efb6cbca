// SPDX-License-Identifier: Apache-2.0
// The contact points of the configuration and the addresses that they stand for. Names are resolved anew in each round,
// for as long as one connection may take at most.
#pragma once

#include "base/addr.h"
#include "loop/loop.h"

struct mp_cluster;
struct mp_contacts;

struct mp_contact {
	struct mp_contacts *contacts;
	struct mp_resolve *resolve; // under way
	bool failed;
	bool done;
	struct mp_addr *addrs; // that its name stood for the last time it was resolved
	size_t addr_count;
};

struct mp_contacts {
	const struct mp_cluster *cluster;
	struct mp_contact *all; // one for each of the configuration
	struct mp_timer patience;
	void (*on_addr)(void *owner, const struct mp_addr *addr);
	void (*on_answer)(void *owner); // from the loop: a name has been resolved, or will not be
	void *owner;
};

void mp_contacts_init(struct mp_contacts *contacts, const struct mp_cluster *cluster);
void mp_contacts_deinit(struct mp_contacts *contacts);
// The configuration changes: forget before it does, take what new made for it afterwards.
struct mp_contact *mp_contacts_new(struct mp_contacts *contacts, size_t count) MP_MUST_CHECK;
void mp_contacts_forget(struct mp_contacts *contacts);
void mp_contacts_take(struct mp_contacts *contacts, struct mp_contact *all);

void mp_contacts_begin(struct mp_contacts *contacts); // a new round: nothing was asked yet
// Those that were not asked in this round: literals are told at once by on_addr, names later.
void mp_contacts_ask(struct mp_contacts *contacts);
// The name by which an address was found; NULL: it is no contact point's, or that is an address itself.
const char *mp_contacts_name_of(const struct mp_contacts *contacts, const struct mp_addr *addr);
bool mp_contacts_are_resolving(const struct mp_contacts *contacts);
void mp_contacts_cancel(struct mp_contacts *contacts);
