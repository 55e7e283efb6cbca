// SPDX-License-Identifier: Apache-2.0
// A record as a line of JSON. What has its usual value is left out, as docs/decision-log.md says it. Numbers and texts
// are written by hand: a line is most of what a decision costs, and printf would be most of a line.
#include <string.h>

#include "base/text/utf8.h"
#include "cluster/decisions/decisions.h"
#include "cluster/request/request.h"
#include "cluster/session_internal.h"

// Bytes at the end of the buffer that nobody has to look at one by one. Room is made for the usual piece at a time, so
// a piece costs a comparison and a copy of a size that the compiler knows.
#define ROOM 512u
MP_INLINE void put_bytes(struct mp_buf *out, const char *bytes, size_t len)
{
	if (MP_UNLIKELY(out->cap - out->len < len + ROOM) && mp_buf_reserve(out, len + 4 * ROOM) == NULL)
		return; // it has failed, which is asked at the end
	memcpy(out->data + out->len, bytes, len);
	out->len += len;
}

#define PUT(out, literal) put_bytes(out, literal, sizeof(literal) - 1)

// Two digits at a time.
static void put_number(struct mp_buf *out, uint64_t number)
{
	static const char pairs[] = "0001020304050607080910111213141516171819"
								"2021222324252627282930313233343536373839"
								"4041424344454647484950515253545556575859"
								"6061626364656667686970717273747576777879"
								"8081828384858687888990919293949596979899";
	char digits[20];
	size_t at = sizeof(digits);
	while (number >= 100) {
		at -= 2;
		memcpy(digits + at, pairs + number % 100 * 2, 2);
		number /= 100;
	}
	if (number >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + number * 2, 2);
	} else {
		digits[--at] = (char)('0' + number);
	}
	put_bytes(out, digits + at, sizeof(digits) - at);
}

// Three digits behind the point are enough for a weight, which is 0 to 1000000.
static void put_weight(struct mp_buf *out, float weight)
{
	uint64_t thousandths = weight > 0 && weight < 1e12F ? (uint64_t)((double)weight * 1000 + 0.5) : 0;
	char rest[] = {'.', (char)('0' + thousandths / 100 % 10), (char)('0' + thousandths / 10 % 10),
	               (char)('0' + thousandths % 10)};
	put_number(out, thousandths / 1000);
	if (thousandths % 1000 != 0)
		put_bytes(out, rest, sizeof(rest));
}

static bool needs_care(unsigned char c)
{
	return c < ' ' || c == '"' || c == '\\' || c >= 0x7f;
}

static MP_COLD void put_escaped(struct mp_buf *out, const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	bool is_text = mp_utf8_is_valid(text, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4 & 15], digits[c & 15]};
		if (!needs_care(c) || (c >= 0x80 && is_text))
			put_bytes(out, text + i, 1);
		else if (c >= 0x80)
			PUT(out, "?"); // of what is no text
		else if (c == '"' || c == '\\')
			put_bytes(out, (char[]){'\\', (char)c}, 2);
		else
			put_bytes(out, escaped, sizeof(escaped));
	}
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

// Whether one of eight bytes needs care. It may say so of eight that need none, never the other way round.
static bool eight_need_care(uint64_t eight)
{
	uint64_t quotes = eight ^ EACH('"'), slashes = eight ^ EACH('\\');
	uint64_t high = eight | (eight + EACH(1)); // 0x7f and above
	uint64_t low = (eight - EACH(' ')) | (quotes - EACH(1)) | (slashes - EACH(1));
	return ((high | low) & EACH(0x80)) != 0;
}

static bool is_plain(const char *text, size_t len)
{
	uint64_t eight;
	bool care = false;
	for (; len >= 8; text += 8, len -= 8) {
		memcpy(&eight, text, 8);
		care = care || eight_need_care(eight);
	}
	for (; len > 0; text++, len--)
		care = care || needs_care((unsigned char)*text);
	return !care;
}

// In quotes. Names come from nodes, so anything may stand in them.
static void put_text(struct mp_buf *out, const char *text)
{
	size_t len = strlen(text);
	PUT(out, "\"");
	if (MP_LIKELY(is_plain(text, len)))
		put_bytes(out, text, len);
	else
		put_escaped(out, text, len);
	PUT(out, "\"");
}

// In quotes, of our own words and of addresses.
static void put_word(struct mp_buf *out, const char *word)
{
	PUT(out, "\"");
	put_bytes(out, word, strlen(word));
	PUT(out, "\"");
}

// `,"name":` and what follows; nothing when it has its usual value.
#define FIELD(out, name, text)                   \
	do {                                         \
		const char *text_ = (text);              \
		if (text_ != NULL && text_[0] != '\0') { \
			PUT(out, ",\"" name "\":");          \
			put_text(out, text_);                \
		}                                        \
	} while (0)
#define WORD(out, name, word)       \
	do {                            \
		PUT(out, ",\"" name "\":"); \
		put_word(out, word);        \
	} while (0)
#define NUMBER(out, name, number)   \
	do {                            \
		PUT(out, ",\"" name "\":"); \
		put_number(out, number);    \
	} while (0)
#define FLAG(out, name, is_set)             \
	do {                                    \
		if (is_set)                         \
			PUT(out, ",\"" name "\":true"); \
	} while (0)

// ---- parts ------------------------------------------------------------------------------------------------

const char *mp_decision_kind(const struct mp_request_view *request, bool is_batch)
{
	if (request->isLwt)
		return "lwt";
	if (is_batch)
		return "batch";
	return request->isRead ? "read" : "write";
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
	put_word(out, mp_decision_kind(request, decision->is_batch));
	FIELD(out, "keyspace", decision->keyspace);
	FIELD(out, "table", decision->table);
	if (request->hasToken)
		put_token(out, decision->token);
	WORD(out, "consistency", mp_consistency_name(request->consistency));
	FLAG(out, "isLocal", request->isLocalConsistency);
	FLAG(out, "idempotent", request->idempotent);
	if (request->tag != 0)
		FIELD(out, "tag", mp_names_text(&session->tags, request->tag));
	PUT(out, "}");
}

const char *mp_decision_address(const struct mp_session *session, uint16_t slot, uint32_t generation)
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
	for (int i = 0; all != NULL && i < MP_MARKS_MAX; i++) {
		const struct mp_mark *mark = &all->of[i];
		if ((marks >> i & 1) == 0 || mark->is_list || mark->text == NULL)
			continue;
		if (is_first)
			PUT(out, ",\"tags\":[");
		else
			PUT(out, ",");
		put_text(out, mark->text);
		is_first = false;
	}
	if (!is_first)
		PUT(out, "]");
}

static void put_host(struct mp_buf *out, const struct mp_decision_host *host,
                     const struct mp_session *session)
{
	PUT(out, "{\"host\":");
	put_word(out, mp_decision_address(session, host->slot, host->generation));
	PUT(out, ",\"slot\":");
	put_number(out, host->slot);
	FIELD(out, "datacenter", dc_of(session, host->dc));
	FIELD(out, "rack", rack_of(session, host->dc, host->rack));
	if ((host->flags & MP_DECISION_UP) == 0)
		WORD(out, "state", (host->flags & MP_DECISION_SHUT) != 0 ? "shut" : "down");
	else if ((host->flags & MP_DECISION_HALF_OPEN) != 0)
		WORD(out, "state", "halfOpen");
	FLAG(out, "isLocal", (host->flags & MP_DECISION_LOCAL) != 0);
	FLAG(out, "isLocalRack", (host->flags & MP_DECISION_LOCAL_RACK) != 0);
	FLAG(out, "isNewlyUp", (host->flags & MP_DECISION_NEW) != 0);
	if (host->replica != 0)
		NUMBER(out, "replica", host->replica);
	if (host->in_flight != 0)
		NUMBER(out, "inFlight", host->in_flight);
	if (host->latency_us != 0) {
		NUMBER(out, "latencyUs", host->latency_us);
		NUMBER(out, "latencyAgeMs", host->latency_age_ms);
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
		NUMBER(out, "hostsLeftOut", decision->host_total - decision->host_count);
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
		put_text(out, mp_plan_step_text(&plan, i, text, sizeof(text)));
	}
	PUT(out, "],\"plan\":[");
	for (uint8_t i = 0; i < decision->planned_count; i++) {
		const struct mp_decision_host *host = &decision->hosts[decision->planned[i].host];
		if (i > 0)
			PUT(out, ",");
		PUT(out, "{\"host\":");
		put_word(out, mp_decision_address(session, host->slot, host->generation));
		NUMBER(out, "step", decision->planned[i].step + 1U);
		PUT(out, "}");
	}
	PUT(out, "]");
	FLAG(out, "fallback", decision->is_fallback);
	FLAG(out, "refused", decision->is_refused);
}

static void put_outcome(struct mp_buf *out, const struct mp_decision *decision,
                        const struct mp_session *session)
{
	if (!decision->has_ended)
		return;
	PUT(out, ",\"outcome\":{\"attempts\":");
	put_number(out, decision->attempts);
	NUMBER(out, "latencyUs", decision->latency_us);
	for (uint16_t i = 0; i < decision->host_count; i++) {
		const struct mp_decision_host *host = &decision->hosts[i];
		if (host->slot == decision->answered_by)
			WORD(out, "host", mp_decision_address(session, host->slot, host->generation));
	}
	FIELD(out, "error", decision->code);
	FLAG(out, "maybeApplied", decision->maybe_applied);
	PUT(out, "}");
}

void mp_decision_line(const struct mp_decision *decision, struct mp_session *session, struct mp_buf *line)
{
	PUT(line, "{\"version\":1,\"number\":");
	put_number(line, decision->number);
	NUMBER(line, "atMs", decision->at_us / 1000);
	FIELD(line, "policy", decision->policy);
	NUMBER(line, "generation", decision->generation);
	FLAG(line, "canary", decision->is_canary);
	FIELD(line, "localDatacenter", dc_of(session, decision->local_dc));
	NUMBER(line, "turn", decision->turn);
	PUT(line, ",\"chance\":\"");
	put_number(line, decision->chance); // a text: it has 64 bits
	PUT(line, "\"");
	put_request(line, decision, session);
	put_hosts(line, decision, session);
	put_plan(line, decision, session);
	put_outcome(line, decision, session);
	PUT(line, "}\n");
}
