// SPDX-License-Identifier: Apache-2.0
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

bool mp_addr_same_ip(const struct mp_addr *a, const struct mp_addr *b)
{
	return a->ip_len == b->ip_len && memcmp(a->ip, b->ip, a->ip_len) == 0;
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

// 1 to 65535, digits only.
static bool parse_port(const char *text, uint16_t *port)
{
	uint32_t number = 0;
	size_t len = strlen(text);
	for (size_t i = 0; i < len && i < 6; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(text[i] - '0');
	}
	*port = (uint16_t)number;
	return len > 0 && number >= 1 && number <= UINT16_MAX;
}

int mp_addr_parse(const char *text, uint16_t port, struct mp_addr *addr)
{
	char ip[MP_ADDR_TEXT];
	const char *colon = strchr(text, ':');
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	if (text[0] == '[' ? end == NULL : colon == NULL || strchr(colon + 1, ':') != NULL)
		return text[0] == '[' ? MP_EINVAL : mp_addr_parse_ip(text, port, addr);
	const char *begin = end != NULL ? text + 1 : text;
	const char *rest = end != NULL ? end + 1 : colon;
	size_t len = (size_t)((end != NULL ? end : colon) - begin);
	if (len >= sizeof(ip) || (rest[0] != '\0' && (rest[0] != ':' || !parse_port(rest + 1, &port))))
		return MP_EINVAL;
	memcpy(ip, begin, len);
	ip[len] = '\0';
	if (end != NULL && strchr(ip, ':') == NULL)
		return MP_EINVAL; // [127.0.0.1]
	return mp_addr_parse_ip(ip, port, addr);
}

void mp_addr_format_ip(const struct mp_addr *addr, char text[MP_ADDR_TEXT])
{
	mp_assert(addr->ip_len == 0 || addr->ip_len == 4 || addr->ip_len == 16);
	if (addr->ip_len == 0 ||
	    inet_ntop(addr->ip_len == 4 ? AF_INET : AF_INET6, addr->ip, text, MP_ADDR_TEXT) == NULL)
		snprintf(text, MP_ADDR_TEXT, "none");
}

void mp_addr_format(const struct mp_addr *addr, char text[MP_ADDR_TEXT])
{
	char ip[MP_ADDR_TEXT];
	mp_addr_format_ip(addr, ip);
	if (addr->ip_len == 0)
		memcpy(text, ip, sizeof(ip));
	else // "%.46s": the longest address literal
		snprintf(text, MP_ADDR_TEXT, addr->ip_len == 16 ? "[%.46s]:%u" : "%.46s:%u", ip, addr->port);
}
