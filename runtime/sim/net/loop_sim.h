// SPDX-License-Identifier: Apache-2.0
// The simulated body of loop.h: one thread, virtual time, one seed, a network that exists only in memory.
// Time stands still while callbacks run and jumps from event to event, so hours pass in milliseconds; the
// same seed and the same program give the same events, byte for byte.
//
// Addresses are names in one virtual network: who listens on an address can be reached there. Bytes travel in
// order, after a latency with jitter, and arrive in pieces chosen by the seed; buffers are finite, so writes
// are short at times, also without need. Faults hang on the address that is listened on; port 0 there means
// every port of the host.
#pragma once

#include "base/buf.h"
#include "loop/loop.h"

// NULL: out of memory. Time starts at one second, the wall clock at 2024-01-01, latency 250 us one way.
struct mp_loop *mp_loop_sim_new(uint64_t seed) MP_MUST_CHECK;

// ---- time -------------------------------------------------------------------------------------------------
// Only while no timer is started and nothing travels: for worlds that begin near an overflow.
void mp_loop_sim_set_now(struct mp_loop *loop, uint64_t now_ns);
void mp_loop_sim_set_wall(struct mp_loop *loop, uint64_t wall_us); // may go backwards; runs on from there
// The machine sleeps for so long before the next turn: what has arrived meanwhile is read before timers fire.
void mp_loop_sim_jump(struct mp_loop *loop, uint64_t sleep_ns);
// Run what happens up to this time, and let it be this time then. Ends early by mp_loop_stop().
void mp_loop_sim_run_until(struct mp_loop *loop, uint64_t until_ns);
void mp_loop_sim_run_for(struct mp_loop *loop, uint64_t span_ns);

// ---- the network ------------------------------------------------------------------------------------------
// Of the whole network (`addr` NULL) or of one address: each way takes latency + [0, jitter]. For what is
// sent from now.
int mp_loop_sim_latency(struct mp_loop *loop, const struct mp_addr *addr, uint64_t latency_ns,
                        uint64_t jitter_ns);
// How much a socket's system takes before its peer has read it. Default 256 KiB.
void mp_loop_sim_set_buffer(struct mp_loop *loop, size_t bytes);
// Pieces in which bytes are read: at most `most` at once, or by the seed from one byte to everything (0, the
// default).
void mp_loop_sim_set_chunk(struct mp_loop *loop, size_t most);

// ---- faults; `on` false ends them -------------------------------------------------------------------------
// A connection attempt and what is sent either way vanish. As TCP sends again, they arrive late when it ends;
// until then nobody is told, but for a connect (127 s) and a socket with user_timeout_ms. The server's end of a
// socket that gave up so hears of it when it sends, or by keep-alive a minute later, as Cassandra's do.
int mp_loop_sim_blackhole(struct mp_loop *loop, const struct mp_addr *addr, bool on);
// One way: what the address sends vanishes, what is sent to it arrives.
int mp_loop_sim_partition(struct mp_loop *loop, const struct mp_addr *addr, bool on);
// The programs behind the address read nothing; their systems still take what fits.
int mp_loop_sim_stall(struct mp_loop *loop, const struct mp_addr *addr, bool on);
// Connecting to it fails with MP_ELOCAL, at once or later.
int mp_loop_sim_fail_local(struct mp_loop *loop, const struct mp_addr *addr, bool on);
// RST to both ends of each of its connections; of what travels, a random part arrives before. Returns how
// many.
size_t mp_loop_sim_cut(struct mp_loop *loop, const struct mp_addr *addr);

// ---- names and files --------------------------------------------------------------------------------------
// Replaces what the name stands for; count 0: unknown again. "localhost" is known.
int mp_loop_sim_set_name(struct mp_loop *loop, const char *host, const struct mp_addr *addrs, size_t count);
void mp_loop_sim_set_resolve_delay(struct mp_loop *loop, uint64_t delay_ns); // default 1 ms
// The file changed, for those who watch this very path.
void mp_loop_sim_touch(struct mp_loop *loop, const char *path);

// ---- looking at it ----------------------------------------------------------------------------------------
// Append one line for each event from now on: time in ns, kind, socket number, length, hash of the bytes.
// NULL: stop.
void mp_loop_sim_trace(struct mp_loop *loop, struct mp_buf *to);
// *hash becomes that of all these lines, and stays so with each event, while nothing is kept.
void mp_loop_sim_hash(struct mp_loop *loop, uint64_t *hash);
void mp_loop_sim_census(struct mp_loop *loop, struct mp_loop_census *out); // mp_loop_census
