// SPDX-License-Identifier: Apache-2.0
// Cassandra's Murmur3Partitioner: MurmurHash3 x64 128 with sign-extended tail bytes (as Cassandra's Java does it),
// first half; INT64_MIN becomes INT64_MAX.
#pragma once

#include "base/defs.h"

int64_t mp_murmur3_token(const void *key, size_t len);
