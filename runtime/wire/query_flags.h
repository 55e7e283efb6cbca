// SPDX-License-Identifier: Apache-2.0
// Bits of <query_parameters> (section 4.1.4; a byte before v5, an [int] since), of BATCH (4.1.7) and of PREPARE
// (4.1.5).
#pragma once

enum mp_query_flag {
	MP_QUERY_VALUES = 0x01,
	MP_QUERY_SKIP_METADATA = 0x02,
	MP_QUERY_PAGE_SIZE = 0x04,
	MP_QUERY_PAGING_STATE = 0x08,
	MP_QUERY_SERIAL_CONSISTENCY = 0x10,
	MP_QUERY_TIMESTAMP = 0x20,
	MP_QUERY_NAMES = 0x40,
	MP_QUERY_KEYSPACE = 0x80,        // v5
	MP_QUERY_NOW_IN_SECONDS = 0x100, // v5
	// What BATCH may have of them (4.1.7). Names are not among them: their flag stands behind the values.
	MP_QUERY_OF_BATCH =
		MP_QUERY_SERIAL_CONSISTENCY | MP_QUERY_TIMESTAMP | MP_QUERY_KEYSPACE | MP_QUERY_NOW_IN_SECONDS,
};

enum mp_prepare_flag { MP_PREPARE_KEYSPACE = 0x01 };
