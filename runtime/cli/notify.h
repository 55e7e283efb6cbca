// SPDX-License-Identifier: Apache-2.0
// What systemd wants to hear of a service of the type notify: a datagram to the socket that the environment names.
#pragma once

// "READY=1", "STATUS=...", "WATCHDOG=1", "STOPPING=1". Nobody may be listening, which is no mistake.
void mp_notify(const char *state);
// How often it wants a sign of life, in milliseconds; 0: it does not.
unsigned mp_notify_watchdog_ms(void);
