// SPDX-License-Identifier: Apache-2.0
// A network address: IPv4 or IPv6 and a port. Value type, comparable, printable.
#pragma once

#include "base/defs.h"

struct mp_addr {
	uint8_t ip[16]; // network order; the first 4 used for IPv4, the rest zero
	uint8_t ip_len; // 4, 16, or 0 for "none"
	uint16_t port;  // host order
	uint32_t zone;  // of a link-local address: the number of this machine's interface; 0: none
};

#define MP_ADDR_TEXT 64

bool mp_addr_eq(const struct mp_addr *a, const struct mp_addr *b); // ip and port
bool mp_addr_same_ip(const struct mp_addr *a, const struct mp_addr *b);
bool mp_addr_is_any(const struct mp_addr *addr); // 0.0.0.0 or ::, or none
struct mp_addr mp_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
// Literals only; MP_EINVAL. Text of a known length need not end in a NUL, and holds none.
int mp_addr_parse_ip(const char *text, uint16_t port, struct mp_addr *addr) MP_MUST_CHECK;
int mp_addr_parse_ip_text(const char *text, size_t len, uint16_t port, struct mp_addr *addr) MP_MUST_CHECK;
// The same with a port behind it or `port`, and with a zone: "127.0.0.1:9042", "[::1]:9042", "::1", "[fe80::1%2]:9042".
int mp_addr_parse(const char *text, uint16_t port, struct mp_addr *addr) MP_MUST_CHECK;
void mp_addr_format(const struct mp_addr *addr,
                    char text[MP_ADDR_TEXT]); // "127.0.0.1:9042", "[fe80::1%2]:9042"
void mp_addr_format_ip(const struct mp_addr *addr, char text[MP_ADDR_TEXT]); // "127.0.0.1", "::1"
