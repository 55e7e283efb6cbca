// SPDX-License-Identifier: Apache-2.0
// Which hosts of the remote datacentres get connections, where the configuration limits their number: `chosen` of a
// host is written here alone. Of each datacentre so many are chosen, each client's own ones; one that fails gives its
// place to the one that has not been tried for longest, and whoever works stays.
#pragma once

#include "cluster/topology/hosts.h"

// Something has happened that may call for another choice: it is reviewed by the owner's chores.
void mp_remotes_changed(struct mp_hosts *hosts);
// What is due of it. May move hosts between the distances.
void mp_remotes_review(struct mp_hosts *hosts);
// A host that is remote by its datacentre: is it one to connect to?
bool mp_remotes_use(const struct mp_host *host);
