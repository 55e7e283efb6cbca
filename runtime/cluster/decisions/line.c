// SPDX-License-Identifier: Apache-2.0
// A record as a line of JSON. What has its usual value is left out, as docs/decision-log.md says it. Numbers and texts
// are written by hand: a line is most of what a decision costs, and printf would be most of a line.
#include <string.h>

#include "base/text/utf8.h"
#include "cluster/decisions/decisions.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

#define PUT(buf, literal) mp_buf_bytes(buf, literal, sizeof(literal) - 1)

static void put_number(struct mp_buf *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	do
		digits[--at] = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	mp_buf_bytes(out, digits + at, sizeof(digits) - at);
}

// Three digits behind the point are enough for a weight, which is 0 to 1000000.
static void put_weight(struct mp_buf *out, float weight)
{
	uint64_t thousandths = weight > 0 && weight < 1e12F ? (uint64_t)((double)weight * 1000 + 0.5) : 0;
	char rest[] = {'.', (char)('0' + thousandths / 100 % 10), (char)('0' + thousandths / 10 % 10),
	               (char)('0' + thousandths % 10)};
	put_number(out, thousandths / 1000);
	if (thousandths % 1000 != 0)
		mp_buf_bytes(out, rest, sizeof(rest));
}

static void put_escaped(struct mp_buf *out, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', '0', '0', digits[c >> 4 & 15], digits[c & 15]};
	if (c == '"' || c == '\\') {
		text[1] = (char)c;
		mp_buf_bytes(out, text, 2);
	} else if (c < ' ' || c == 0x7f) {
		mp_buf_bytes(out, text, 6);
	} else {
		PUT(out, "?"); // of what is no text
	}
}

// Names come from nodes, so anything may stand in them.
static void put_text(struct mp_buf *out, const char *text, size_t len)
{
	PUT(out, "\"");
	size_t plain = 0;
	while (plain < len && text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\' &&
	       text[plain] != 0x7f)
		plain++; // signed or not, bytes of more than 127 end it, or are looked at below
	bool is_text = plain == len || mp_utf8_is_valid(text, len);
	mp_buf_bytes(out, text, plain);
	for (size_t i = plain; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\' || c < ' ' || c == 0x7f || (c >= 0x80 && !is_text))
			put_escaped(out, c);
		else
			mp_buf_u8(out, c);
	}
	PUT(out, "\"");
}

static void put_words(struct mp_buf *out, const char *text)
{
	put_text(out, text, strlen(text));
}

// `"name":"text"` with a comma before it, unless the text is empty.
static void field(struct mp_buf *out, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	mp_buf_text(out, ",\"");
	mp_buf_text(out, name);
	PUT(out, "\":");
	put_words(out, text);
}

static void number_field(struct mp_buf *out, const char *name, uint64_t number)
{
	mp_buf_text(out, ",\"");
	mp_buf_text(out, name);
	PUT(out, "\":");
	put_number(out, number);
}

static void flag_field(struct mp_buf *out, const char *name, bool is_set)
{
	if (!is_set)
		return;
	mp_buf_text(out, ",\"");
	mp_buf_text(out, name);
	PUT(out, "\":true");
}

// ---- parts ------------------------------------------------------------------------------------------------

static const char *kind_of(const struct mp_decision *decision)
{
	if (decision->request.isLwt)
		return "lwt";
	if (decision->is_batch)
		return "batch";
	return decision->request.isRead ? "read" : "write";
}

static void put_token(struct mp_buf *out, int64_t token)
{
	PUT(out, ",\"token\":\"");
	if (token < 0)
		PUT(out, "-");
	put_number(out, token < 0 ? -(uint64_t)token : (uint64_t)token);
	PUT(out, "\"");
}

static void put_request(struct mp_buf *out, const struct mp_decision *decision,
                        const struct mp_session *session)
{
	const struct mp_request_view *request = &decision->request;
	PUT(out, ",\"request\":{\"kind\":");
	put_words(out, kind_of(decision));
	field(out, "keyspace", decision->keyspace);
	field(out, "table", decision->table);
	if (request->hasToken)
		put_token(out, decision->token);
	field(out, "consistency", mp_consistency_name(request->consistency));
	flag_field(out, "isLocal", request->isLocalConsistency);
	flag_field(out, "idempotent", request->idempotent);
	if (request->tag != 0)
		field(out, "tag", mp_names_text(&session->tags, request->tag));
	PUT(out, "}");
}

static const char *address_of(const struct mp_session *session, uint16_t slot, uint32_t generation)
{
	const struct mp_view *view = &session->view;
	bool is_there = slot < MP_HOSTS_MAX && view->hosts[slot].generation == generation;
	return is_there && view->names[slot].address[0] != '\0' ? view->names[slot].address : "gone";
}

static const char *dc_of(const struct mp_session *session, uint16_t dc)
{
	return dc < session->view.dc_count ? session->view.dc_names[dc] : "";
}

// Racks are named "dc/rack".
static const char *rack_of(const struct mp_session *session, uint16_t dc, uint16_t rack)
{
	const char *name = mp_names_text(&session->view.racks, (uint32_t)rack + 1);
	size_t len = strlen(dc_of(session, dc));
	return name != NULL && strlen(name) > len && name[len] == '/' ? name + len + 1 : "";
}

static void put_tags(struct mp_buf *out, const struct mp_session *session, uint32_t marks)
{
	const struct mp_marks *all = session->view.marks;
	bool is_first = true;
	for (int i = 0; all != NULL && marks >> i != 0 && i < MP_MARKS_MAX; i++) {
		const struct mp_mark *mark = &all->of[i];
		if ((marks >> i & 1) == 0 || mark->is_list || mark->text == NULL)
			continue;
		mp_buf_text(out, is_first ? ",\"tags\":[" : ",");
		put_words(out, mark->text);
		is_first = false;
	}
	if (!is_first)
		PUT(out, "]");
}

static void put_host(struct mp_buf *out, const struct mp_decision_host *host,
                     const struct mp_session *session)
{
	PUT(out, "{\"host\":");
	put_words(out, address_of(session, host->slot, host->generation));
	field(out, "datacenter", dc_of(session, host->dc));
	field(out, "rack", rack_of(session, host->dc, host->rack));
	if ((host->flags & MP_DECISION_UP) == 0)
		field(out, "state", (host->flags & MP_DECISION_SHUT) != 0 ? "shut" : "down");
	else if ((host->flags & MP_DECISION_HALF_OPEN) != 0)
		field(out, "state", "halfOpen");
	flag_field(out, "isLocal", (host->flags & MP_DECISION_LOCAL) != 0);
	flag_field(out, "isLocalRack", (host->flags & MP_DECISION_LOCAL_RACK) != 0);
	flag_field(out, "isNewlyUp", (host->flags & MP_DECISION_NEW) != 0);
	if (host->replica != 0)
		number_field(out, "replica", host->replica);
	if (host->in_flight != 0)
		number_field(out, "inFlight", host->in_flight);
	if (host->latency_us != 0) {
		number_field(out, "latencyUs", host->latency_us);
		number_field(out, "latencyAgeMs", host->latency_age_ms);
	}
	if (host->weight != 1) {
		PUT(out, ",\"weight\":");
		put_weight(out, host->weight);
	}
	if (host->marks != 0)
		put_tags(out, session, host->marks);
	PUT(out, "}");
}

static void put_hosts(struct mp_buf *out, const struct mp_decision *decision,
                      const struct mp_session *session)
{
	PUT(out, ",\"hosts\":[");
	for (uint16_t i = 0; i < decision->host_count; i++) {
		if (i > 0)
			PUT(out, ",");
		put_host(out, &decision->hosts[i], session);
	}
	PUT(out, "]");
	if (decision->host_total > decision->host_count)
		number_field(out, "hostsLeftOut", decision->host_total - decision->host_count);
}

static void put_plan(struct mp_buf *out, const struct mp_decision *decision, struct mp_session *session)
{
	char text[256];
	struct mp_plan plan;
	mp_plan_init(&plan, &session->view, NULL, false, 0, 0);
	plan.step_count = decision->step_count;
	memcpy(plan.steps, decision->steps, decision->step_count * sizeof(plan.steps[0]));
	PUT(out, ",\"steps\":[");
	for (uint8_t i = 0; i < decision->step_count; i++) {
		if (i > 0)
			PUT(out, ",");
		put_words(out, mp_plan_step_text(&plan, i, text, sizeof(text)));
	}
	PUT(out, "],\"plan\":[");
	for (uint8_t i = 0; i < decision->planned_count; i++) {
		const struct mp_decision_host *host = &decision->hosts[decision->planned[i].host];
		mp_buf_text(out, i > 0 ? ",{\"host\":" : "{\"host\":");
		put_words(out, address_of(session, host->slot, host->generation));
		number_field(out, "step", decision->planned[i].step + 1U);
		PUT(out, "}");
	}
	PUT(out, "]");
	flag_field(out, "fallback", decision->is_fallback);
	flag_field(out, "refused", decision->is_refused);
}

static void put_outcome(struct mp_buf *out, const struct mp_decision *decision,
                        const struct mp_session *session)
{
	if (!decision->has_ended)
		return;
	PUT(out, ",\"outcome\":{\"attempts\":");
	put_number(out, decision->attempts);
	number_field(out, "latencyUs", decision->latency_us);
	for (uint16_t i = 0; i < decision->host_count; i++) {
		const struct mp_decision_host *host = &decision->hosts[i];
		if (host->slot == decision->answered_by)
			field(out, "host", address_of(session, host->slot, host->generation));
	}
	field(out, "error", decision->code);
	flag_field(out, "maybeApplied", decision->maybe_applied);
	PUT(out, "}");
}

void mp_decision_line(const struct mp_decision *decision, struct mp_session *session, struct mp_buf *line)
{
	PUT(line, "{\"version\":1,\"number\":");
	put_number(line, decision->number);
	number_field(line, "atMs", decision->at_us / 1000);
	field(line, "policy", decision->policy);
	number_field(line, "generation", decision->generation);
	field(line, "localDatacenter", dc_of(session, decision->local_dc));
	number_field(line, "turn", decision->turn);
	PUT(line, ",\"chance\":\"");
	put_number(line, decision->chance); // a text: it has 64 bits
	PUT(line, "\"");
	put_request(line, decision, session);
	put_hosts(line, decision, session);
	put_plan(line, decision, session);
	put_outcome(line, decision, session);
	PUT(line, "}\n");
}
