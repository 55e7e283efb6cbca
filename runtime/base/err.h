// SPDX-License-Identifier: Apache-2.0
// The one list of errors. A local failure is 0 or a negative MP_E*; the same list gives the name that Lua and C users
// see (`err.code`), a sentence, and whether the failure says that nothing was sent.
#pragma once

#include "base/defs.h"

// X(symbol, value, "NAME seen by users", "sentence")
#define MP_ERRORS(X)                                                                            \
	X(MP_ENOMEM, -1, "NO_MEMORY", "out of memory")                                              \
	X(MP_EINVAL, -2, "INVALID_ARGUMENT", "invalid argument")                                    \
	X(MP_EAGAIN, -3, "AGAIN", "would block")                                                    \
	X(MP_ECLOSED, -4, "CLOSED", "closed")                                                       \
	X(MP_ETIMEOUT, -5, "TIMEOUT", "no answer before the deadline")                              \
	X(MP_EBUSY, -6, "POOL_BUSY", "all connections and queues are full")                         \
	X(MP_ENOHOST, -7, "NO_HOST_AVAILABLE", "no host could serve the request")                   \
	X(MP_ECONNECT, -8, "CONNECT_FAILED", "the connection could not be opened")                  \
	X(MP_ELOST, -9, "CONNECTION_LOST", "the connection was lost")                               \
	X(MP_EPROTO, -10, "PROTOCOL_ERROR", "the peer broke the protocol")                          \
	X(MP_ETOOBIG, -11, "TOO_BIG", "a frame or value is over its limit")                         \
	X(MP_EAUTH, -12, "AUTH_FAILED", "authentication failed")                                    \
	X(MP_ERESOLVE, -13, "RESOLVE_FAILED", "a host name could not be resolved")                  \
	X(MP_ELOCAL, -14, "LOCAL_ERROR", "this machine refused (descriptors, ports, memory)")       \
	X(MP_ESERVER, -15, "SERVER_ERROR", "the server answered with an error")                     \
	X(MP_EUNSUPPORTED, -16, "UNSUPPORTED", "not supported")                                     \
	X(MP_ENOTFOUND, -17, "NOT_FOUND", "not found")                                              \
	X(MP_EPOLICY, -18, "POLICY_ERROR", "a policy script failed")                                \
	X(MP_ECONFIG, -19, "CONFIG_ERROR", "the configuration is wrong")                            \
	X(MP_ETYPE, -20, "TYPE_MISMATCH", "a value does not fit its column type")                   \
	X(MP_ECLUSTER, -21, "WRONG_CLUSTER", "the node belongs to another cluster")                 \
	X(MP_ESCRIPT, -22, "SCRIPT_ERROR", "a Lua script failed")                                   \
	X(MP_EREFUSED, -23, "CONNECTION_REFUSED", "the node refused the connection")                \
	X(MP_EEOF, -24, "END_OF_STREAM", "the peer closed its side")                                \
	X(MP_EFORKED, -25, "FORKED", "it was made before fork(): this process has to make its own") \
	X(MP_ECHANGED, -26, "STATEMENT_CHANGED", "the statement's parameters are others now")       \
	X(MP_ECANCELLED, -27, "CANCELLED", "cancelled by its caller")

enum mp_err {
	MP_OK = 0,
#define X(sym, value, name, text) sym = value,
	MP_ERRORS(X)
#undef X
};

// The user's name of an error ("TIMEOUT"), "OK" for 0, "UNKNOWN" otherwise. Static storage.
const char *mp_err_name(int err);
// A short lower-case sentence without full stop. Static storage.
const char *mp_err_text(int err);
