// SPDX-License-Identifier: Apache-2.0
// Marks: one bit of each host for each tag that a handler gave and each list of hosts that a policy filters by. A plan
// filters by comparing bits, so a filter costs a request the same for one name and for a thousand.
//
// Tags keep their bit while the view lives. Lists share the others; when none is left, the list that was asked for the
// longest time ago loses its bit, and gets another one if it is asked for again.
#pragma once

#include "cluster/plan/view.h"

// The bit of a tag's name, made on first sight; MP_ETOOBIG: all bits are tags' or the name is too long. MP_ENOMEM.
int mp_view_tag(struct mp_view *view, const char *text, size_t len) MP_MUST_CHECK;
// The host has these tags (names end by NUL) and no others. 0, MP_ETOOBIG or MP_ENOMEM: nothing changed.
int mp_view_set_tags(struct mp_view *view, uint16_t slot, const char *const *names,
                     size_t count) MP_MUST_CHECK;
// The tag that the host has at a bit, 0 to MP_MARKS_MAX - 1, or NULL.
const char *mp_view_tag_at(const struct mp_view *view, uint16_t slot, int bit);
// The bit of a list: lines, each an address ("10.0.0.1", "10.0.0.1:9042"), a host id, a datacentre ("dc1") or a rack
// ("dc1/rack1"). MP_ETOOBIG, MP_ENOMEM.
int mp_view_list(struct mp_view *view, const char *lines, size_t len) MP_MUST_CHECK;
// Is `mark` still what it was when it had this stamp? Also notes that it is in use.
bool mp_view_mark_holds(struct mp_view *view, uint32_t mark, uint64_t stamp);
// What lists know the host in a slot by; a host with another id keeps no tags. Call when it enters, moves, or its place
// is known anew.
void mp_view_name_host(struct mp_view *view, uint16_t slot, const char *address, const char *host_id);
// Of a copy, whose marks have an original: its hosts get the tags that `hosts` have there, and, when the hosts are
// known by other names than before, their lists anew.
void mp_view_copy_marks(struct mp_view *view, const struct mp_host_view *hosts, bool renamed);
void mp_view_marks_deinit(struct mp_view *view);
