// SPDX-License-Identifier: Apache-2.0
// What both ends of a control socket know.
#pragma once

// Of an answer, without its end. A pool of 10,000 hosts tells about them in 4 MiB.
#define MP_CONTROL_ANSWER_MAX (16u << 20)
