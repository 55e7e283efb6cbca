// SPDX-License-Identifier: Apache-2.0
// Nodes are dealt to three datacentres of three racks: nine of them, or a thousand; the other clusters are parts of the
// nine.
#include "policy/sample.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "wire/message.h"

#define DCS      3u
#define RACKS    3u
#define NODES    9u // one in each rack
#define HUNDRED  100u
#define THOUSAND 1000u

const char *mp_sample_name(enum mp_sample_topology topology)
{
	switch (topology) {
	case MP_SAMPLE_EMPTY: return "a cluster without nodes";
	case MP_SAMPLE_ONE_NODE: return "a cluster of one node";
	case MP_SAMPLE_ALL_DOWN: return "a cluster with all nodes down";
	case MP_SAMPLE_THREE_DCS: return "a cluster of three datacentres";
	case MP_SAMPLE_THOUSAND: return "a cluster of a thousand nodes";
	default: return "?";
	}
}

// Numbers 0 to 2 of datacentres and 0 to 8 of racks are given once.
static int name_places(struct mp_view *view)
{
	static const char *const dcs[DCS] = {"sample1", "sample2", "sample3"};
	static const char *const racks[RACKS] = {"rack1", "rack2", "rack3"};
	for (uint32_t i = 0; i < DCS * RACKS; i++)
		if (mp_view_dc_id(view, dcs[i / RACKS]) < 0 ||
		    mp_view_rack_id(view, dcs[i / RACKS], racks[i % RACKS]) < 0)
			return MP_ENOMEM;
	return 0;
}

// The first third in the first datacentre and so on.
static void fill_slots(struct mp_view *view, uint32_t nodes)
{
	for (uint32_t i = 0; i < nodes; i++) {
		struct mp_host_view *host = &view->hosts[i];
		uint32_t dc = i * DCS / nodes;
		uint32_t rack = dc * RACKS + i % RACKS;
		host->index = i;
		host->dcId = (uint16_t)dc;
		host->rackId = (uint16_t)rack;
		host->isLocal = dc == 0;
		host->isLocalRack = rack == 0;
		host->weight = 1;
		host->inFlight = i;
		host->latencyUs = 100 * i;
		host->isUp = true;
	}
	for (uint32_t i = nodes; i < THOUSAND; i++)
		view->hosts[i].isUp = false;
	view->host_count = nodes;
}

static struct mp_placement *place(struct mp_view *view, uint32_t nodes)
{
	struct mp_ring_token *tokens = mp_calloc(nodes, sizeof(*tokens));
	if (tokens == NULL)
		return NULL;
	for (uint32_t i = 0; i < nodes; i++)
		tokens[i] =
			(struct mp_ring_token){.token = (int64_t)(i + 1) * 1000, .owner = (uint16_t)(i * 4 % nodes)};
	struct mp_ring *ring = mp_ring_new(tokens, nodes);
	mp_free(tokens);
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
	while (placement != NULL && !mp_placement_step(placement, view, nodes)) {}
	return placement;
}

int mp_sample_init(struct mp_sample *sample)
{
	static const uint32_t sizes[] = {NODES, HUNDRED, THOUSAND};
	memset(sample, 0, sizeof(*sample));
	int rc = mp_view_init(&sample->view);
	if (rc == 0)
		rc = name_places(&sample->view);
	sample->view.local_dc = 0;
	for (size_t i = 0; i < MP_ARRAY_LEN(sizes) && rc == 0; i++) {
		fill_slots(&sample->view, sizes[i]);
		rc = mp_view_rebuild(&sample->view);
		if (rc == 0) {
			sample->placements[i] = place(&sample->view, sizes[i]);
			rc = sample->placements[i] == NULL ? MP_ENOMEM : 0;
		}
	}
	if (rc == 0)
		rc = mp_sample_set(sample, MP_SAMPLE_THREE_DCS);
	if (rc != 0)
		mp_sample_deinit(sample);
	return rc;
}

void mp_sample_deinit(struct mp_sample *sample)
{
	for (size_t i = 0; i < MP_ARRAY_LEN(sample->placements); i++)
		mp_placement_unref(sample->placements[i]);
	if (sample->view.hosts != NULL)
		mp_view_deinit(&sample->view);
	memset(sample, 0, sizeof(*sample));
}

int mp_sample_set(struct mp_sample *sample, enum mp_sample_topology topology)
{
	struct mp_view *view = &sample->view;
	static const uint32_t counts[] = {0, 1, NODES, NODES, THOUSAND, HUNDRED};
	fill_slots(view, counts[topology] > NODES ? counts[topology] : NODES);
	view->host_count = counts[topology];
	view->local_dc = topology == MP_SAMPLE_EMPTY ? MP_NO_HOST : 0;
	for (uint32_t i = 0; i < NODES; i++)
		view->hosts[i].isUp = i < view->host_count && topology != MP_SAMPLE_ALL_DOWN;
	sample->topology = topology;
	return mp_view_rebuild(view);
}

const struct mp_placement *mp_sample_placement(const struct mp_sample *sample)
{
	switch (sample->topology) {
	case MP_SAMPLE_HUNDRED: return sample->placements[1];
	case MP_SAMPLE_THOUSAND: return sample->placements[2];
	default: return sample->placements[0];
	}
}

void mp_sample_request(uint32_t n, struct mp_request_view *req)
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
	req->token = MP_SAMPLE_TOKEN;
}

void mp_sample_error(uint32_t n, struct mp_retry_view *err)
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
