// SPDX-License-Identifier: Apache-2.0
// Nine nodes, three datacentres of three racks; the other clusters are parts of it.
#include "script/canned.h"

#include <string.h>

#include "base/err.h"
#include "wire/message.h"

#define DCS   3u
#define NODES 9u // three racks of one node in each datacentre

const char *mp_canned_name(enum mp_canned_topology topology)
{
	switch (topology) {
	case MP_CANNED_EMPTY: return "a cluster without nodes";
	case MP_CANNED_ONE_NODE: return "a cluster of one node";
	case MP_CANNED_ALL_DOWN: return "a cluster with all nodes down";
	case MP_CANNED_THREE_DCS: return "a cluster of three datacentres";
	default: return "?";
	}
}

static int fill_slots(struct mp_view *view)
{
	static const char *const dcs[DCS] = {"canned1", "canned2", "canned3"};
	static const char *const racks[NODES / DCS] = {"rack1", "rack2", "rack3"};
	for (uint32_t i = 0; i < NODES; i++) {
		struct mp_host_view *host = &view->hosts[i];
		int dc = mp_view_dc_id(view, dcs[i / DCS]);
		int rack = mp_view_rack_id(view, dcs[i / DCS], racks[i % DCS]);
		if (dc < 0 || rack < 0)
			return MP_ENOMEM;
		host->index = i;
		host->dcId = (uint16_t)dc;
		host->rackId = (uint16_t)rack;
		host->isLocal = i < DCS;
		host->isLocalRack = i == 0;
		host->weight = 1;
		host->inFlight = i;
		host->latencyUs = 100 * i;
	}
	return 0;
}

static struct mp_placement *place(struct mp_view *view)
{
	struct mp_ring_token tokens[NODES];
	for (uint32_t i = 0; i < NODES; i++)
		tokens[i] =
			(struct mp_ring_token){.token = (int64_t)(i + 1) * 1000, .owner = (uint16_t)(i * 4 % NODES)};
	struct mp_ring *ring = mp_ring_new(tokens, NODES);
	if (ring == NULL)
		return NULL;
	struct mp_replication replication;
	memset(&replication, 0, sizeof(replication));
	replication.strategy = MP_STRATEGY_NETWORK;
	replication.dc_count = DCS;
	for (uint16_t i = 0; i < DCS; i++) {
		replication.dcs[i].dc_id = i;
		replication.dcs[i].rf = 2;
	}
	struct mp_placement *placement = mp_placement_new(ring, &replication, view);
	mp_ring_unref(ring);
	while (placement != NULL && !mp_placement_step(placement, view, NODES)) {}
	return placement;
}

int mp_canned_init(struct mp_canned *canned)
{
	memset(canned, 0, sizeof(*canned));
	int rc = mp_view_init(&canned->view);
	if (rc == 0)
		rc = fill_slots(&canned->view);
	canned->view.host_count = NODES;
	canned->view.local_dc = 0;
	if (rc == 0)
		rc = mp_view_rebuild(&canned->view);
	if (rc == 0) {
		canned->placement = place(&canned->view);
		rc = canned->placement == NULL ? MP_ENOMEM : 0;
	}
	if (rc != 0)
		mp_canned_deinit(canned);
	return rc;
}

void mp_canned_deinit(struct mp_canned *canned)
{
	mp_placement_unref(canned->placement);
	if (canned->view.hosts != NULL)
		mp_view_deinit(&canned->view);
	memset(canned, 0, sizeof(*canned));
}

int mp_canned_set(struct mp_canned *canned, enum mp_canned_topology topology)
{
	struct mp_view *view = &canned->view;
	static const uint32_t counts[MP_CANNED_COUNT] = {0, 1, NODES, NODES};
	view->host_count = counts[topology];
	view->local_dc = topology == MP_CANNED_EMPTY ? MP_NO_HOST : 0;
	for (uint32_t i = 0; i < NODES; i++)
		view->hosts[i].isUp = i < view->host_count && topology != MP_CANNED_ALL_DOWN;
	return mp_view_rebuild(view);
}

void mp_canned_request(uint32_t n, struct mp_request_view *req)
{
	memset(req, 0, sizeof(*req));
	bool local = (n & 8) != 0;
	req->hasToken = (n & 1) == 0;
	req->isLwt = (n & 2) != 0;
	req->isRead = (n & 4) != 0;
	req->idempotent = req->isRead && !req->isLwt;
	req->isLocalConsistency = local;
	req->consistency = local ? MP_CL_LOCAL_QUORUM : MP_CL_QUORUM;
	req->attempt = 1;
	req->tag = n % 3;
	req->token = 1500;
}

void mp_canned_error(uint32_t n, struct mp_retry_view *err)
{
	static const int32_t codes[] = {
#define X(name, value) value,
		MP_SERVER_ERRORS(X)
#undef X
	};
	static const int32_t local[] = {MP_ETIMEOUT, MP_ELOST, MP_ECONNECT, MP_EPROTO, MP_EBUSY, MP_ECLOSED};
	uint32_t kind = n / 3;
	memset(err, 0, sizeof(*err));
	err->attempt = (uint16_t)(n % 3 == 2 ? 100 : n % 3 + 1);
	err->consistency = MP_CL_LOCAL_QUORUM;
	err->required = 2;
	err->received = (int32_t)(n % 3);
	err->writeType = (uint8_t)(n % MP_WRITE_UNKNOWN);
	err->dataPresent = (n & 1) != 0;
	err->isRead = (n & 2) != 0;
	err->idempotent = err->isRead;
	if (kind < MP_ARRAY_LEN(codes)) {
		err->code = codes[kind];
		err->err = MP_ESERVER;
	} else {
		err->code = -1;
		err->err = local[(kind - MP_ARRAY_LEN(codes)) % MP_ARRAY_LEN(local)];
	}
}
