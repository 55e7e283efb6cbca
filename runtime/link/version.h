// SPDX-License-Identifier: Apache-2.0
// What a node's words say about the protocol versions it speaks: SUPPORTED's list, and the sentences of its
// refusals.
#pragma once

#include "base/cursor.h"

// One entry of PROTOCOL_VERSIONS, "4/v4" or "6/v6-beta": the bit of its version, 0 for a beta and what is no
// entry.
uint8_t mp_version_listed(struct mp_str entry);
uint8_t mp_version_highest(uint8_t bits); // of bits as above, within what this code speaks; 0: none

// Does an ERROR in the first steps of a handshake refuse the version, rather than something else?
bool mp_version_is_refusal(uint8_t answered, uint8_t wanted, int32_t code, struct mp_str message);
// The highest version below `wanted` that the node said it speaks, by its sentence or by the header it
// answered with.
uint8_t mp_version_hint(uint8_t answered, uint8_t wanted, struct mp_str message);

// Bytes of a stranger as printable text, NUL-terminated: what is not printable ASCII becomes \xNN.
void mp_version_show_bytes(const uint8_t *bytes, size_t len, char *text, size_t size);
