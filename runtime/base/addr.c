// SPDX-License-Identifier: Apache-2.0
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

bool mp_addr_same_ip(const struct mp_addr *a, const struct mp_addr *b)
{
	return a->ip_len == b->ip_len && a->zone == b->zone && memcmp(a->ip, b->ip, a->ip_len) == 0;
}

bool mp_addr_eq(const struct mp_addr *a, const struct mp_addr *b)
{
	return a->port == b->port && mp_addr_same_ip(a, b);
}

bool mp_addr_is_any(const struct mp_addr *addr)
{
	for (size_t i = 0; i < addr->ip_len; i++) {
		if (addr->ip[i] != 0)
			return false;
	}
	return true;
}

struct mp_addr mp_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct mp_addr){.ip = {a, b, c, d}, .ip_len = 4, .port = port};
}

int mp_addr_parse_ip(const char *text, uint16_t port, struct mp_addr *addr)
{
	struct mp_addr parsed = {.port = port};
	if (inet_pton(AF_INET, text, parsed.ip) == 1)
		parsed.ip_len = 4;
	else if (inet_pton(AF_INET6, text, parsed.ip) == 1)
		parsed.ip_len = 16;
	else
		return MP_EINVAL;
	*addr = parsed;
	return 0;
}

int mp_addr_parse_ip_text(const char *text, size_t len, uint16_t port, struct mp_addr *addr)
{
	char literal[MP_ADDR_TEXT];
	if (len >= sizeof(literal) || memchr(text, '\0', len) != NULL)
		return MP_EINVAL;
	memcpy(literal, text, len);
	literal[len] = '\0';
	return mp_addr_parse_ip(literal, port, addr);
}

// 1 to `most`, digits only.
static bool parse_number(const char *text, uint32_t most, uint32_t *number)
{
	uint64_t value = 0;
	size_t len = strlen(text);
	for (size_t i = 0; i < len && value <= most; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(text[i] - '0');
	}
	*number = (uint32_t)value;
	return value >= 1 && value <= most;
}

static int parse_zoned(char *ip, uint16_t port, struct mp_addr *addr)
{
	uint32_t zone = 0;
	char *percent = strchr(ip, '%');
	if (percent != NULL && !parse_number(percent + 1, UINT32_MAX, &zone))
		return MP_EINVAL;
	if (percent != NULL)
		*percent = '\0';
	struct mp_addr parsed;
	int rc = mp_addr_parse_ip(ip, port, &parsed);
	if (rc != 0 || (zone != 0 && parsed.ip_len != 16))
		return MP_EINVAL;
	parsed.zone = zone;
	*addr = parsed;
	return 0;
}

int mp_addr_parse(const char *text, uint16_t port, struct mp_addr *addr)
{
	char copy[MP_ADDR_TEXT];
	size_t len = strlen(text);
	if (len >= sizeof(copy))
		return MP_EINVAL;
	memcpy(copy, text, len + 1);
	char *ip = copy;
	char *colon = strchr(copy, ':');
	char *behind = NULL;
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');
		if (end == NULL || colon == NULL || colon > end || (end[1] != ':' && end[1] != '\0'))
			return MP_EINVAL;
		ip = copy + 1;
		behind = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		behind = colon + 1;
		*colon = '\0';
	}
	uint32_t number = port;
	if (behind != NULL && !parse_number(behind, UINT16_MAX, &number))
		return MP_EINVAL;
	return parse_zoned(ip, (uint16_t)number, addr);
}

void mp_addr_format_ip(const struct mp_addr *addr, char text[MP_ADDR_TEXT])
{
	mp_assert(addr->ip_len == 0 || addr->ip_len == 4 || addr->ip_len == 16);
	if (addr->ip_len == 0 ||
	    inet_ntop(addr->ip_len == 4 ? AF_INET : AF_INET6, addr->ip, text, MP_ADDR_TEXT) == NULL)
		snprintf(text, MP_ADDR_TEXT, "none");
	size_t len = strlen(text);
	if (addr->zone != 0)
		snprintf(text + len, MP_ADDR_TEXT - len, "%%%u", addr->zone);
}

void mp_addr_format(const struct mp_addr *addr, char text[MP_ADDR_TEXT])
{
	char ip[MP_ADDR_TEXT];
	mp_addr_format_ip(addr, ip);
	if (addr->ip_len == 0)
		memcpy(text, ip, sizeof(ip));
	else // "%.55s": the longest address literal with a zone
		snprintf(text, MP_ADDR_TEXT, addr->ip_len == 16 ? "[%.55s]:%u" : "%.55s:%u", ip, addr->port);
}
