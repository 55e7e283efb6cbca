// SPDX-License-Identifier: Apache-2.0
// The functions of the core table, all of them. The C function behind a Lua function bears its name: mp_core_ and the
// Lua name in snake_case, without exception (mp_core_read_file is readFile), so that either is found from the other.
// What a function takes and returns stands where it is defined.
#pragma once

#include <lua.h>

// X(its name in Lua, the C function, what it does)
#define MP_CORE_FUNCTIONS(X)                                                                          \
	/* coroutines, time and the process */                                                            \
	X("run", mp_core_run, "run a function as a coroutine until it has returned")                      \
	X("start", mp_core_start, "begin a coroutine in this turn")                                       \
	X("spawn", mp_core_spawn, "the same, belonging to what the running one belongs to")               \
	X("owner", mp_core_owner, "what coroutines belong to")                                            \
	X("within", mp_core_within, "call a function that begins coroutines of an owner")                 \
	X("endOwner", mp_core_end_owner, "the coroutines of an owner end")                                \
	X("ownerCount", mp_core_owner_count, "the coroutines of an owner")                                \
	X("isOver", mp_core_is_over, "has the owner of this coroutine ended?")                            \
	X("onRun", mp_core_on_run, "what is called around each run of coroutines")                        \
	X("spawnLimited", mp_core_spawn_limited, "a coroutine that may not compute for long at a time")   \
	X("command", mp_core_command, "run a program and wait for its end")                               \
	X("serve", mp_core_serve, "nobody waits for the end of this coroutine")                           \
	X("settle", mp_core_settle, "run the loop until every coroutine has ended")                       \
	X("finish", mp_core_finish, "end the runtime with all that it opened")                            \
	X("sleep", mp_core_sleep, "wait for milliseconds")                                                \
	X("wallClock", mp_core_wall_clock, "milliseconds since 1970")                                     \
	X("now", mp_core_now, "milliseconds of the loop's clock")                                         \
	X("fd", mp_core_fd, "the descriptor that a program with a loop of its own watches")               \
	X("timeout", mp_core_timeout, "how long it may wait for that before it turns the loop")           \
	X("turn", mp_core_turn, "one turn of the loop that waits for nothing")                            \
	X("log", mp_core_log, "write to the log of a pool or of the process")                             \
	X("redact", mp_core_redact, "a text without what has the shape of a secret")                      \
	X("uuid", mp_core_uuid, "a random UUID, or a text checked to be one")                             \
	X("timeuuid", mp_core_timeuuid, "a UUID of this time")                                            \
	X("home", mp_core_home, "where moonpool is installed")                                            \
	X("isShort", mp_core_is_short, "no descriptor is free")                                           \
	X("ioUring", mp_core_io_uring, "why sockets never share a system call")                           \
	X("memoryRefusals", mp_core_memory_refusals, "how often there was no memory in this thread")      \
	/* futures */                                                                                     \
	X("future", mp_core_future, "a future")                                                           \
	X("futureDone", mp_core_future_done, "are its values there?")                                     \
	X("futureWatch", mp_core_future_watch, "somebody looks at its failure")                           \
	X("futureCancel", mp_core_future_cancel, "end its request")                                       \
	X("futurePark", mp_core_future_park, "wait until its values are there")                           \
	X("futureValues", mp_core_future_values, "what it holds")                                         \
	X("futureFinish", mp_core_future_finish, "give it the results of xpcall")                         \
	X("refuseWaiting", mp_core_refuse_waiting, "raise why a call cannot wait here")                   \
	X("take", mp_core_take, "what a coroutine of the host's has waited for")                          \
	/* errors */                                                                                      \
	X("error", mp_core_error, "an error as a request would return it")                                \
	X("errorText", mp_core_error_text, "what an error value of any type says")                        \
	X("noteFailure", mp_core_note_failure, "keep where an error was raised")                          \
	X("traceback", mp_core_traceback, "a text with where it was raised")                              \
	/* values */                                                                                      \
	X("int64", mp_core_int64, "how integers of 64 bits are made and taken apart")                     \
	X("encode", mp_core_encode, "a value as the protocol's bytes")                                    \
	X("decode", mp_core_decode, "the protocol's bytes as a value")                                    \
	/* pools */                                                                                       \
	X("newPool", mp_core_new_pool, "a pool from a checked configuration")                             \
	X("judgePool", mp_core_judge_pool, "would newPool take it? Makes nothing that stays")             \
	X("connect", mp_core_connect, "wait until it is connected")                                       \
	X("close", mp_core_close, "wait until its last connection is closed")                             \
	X("discard", mp_core_discard, "close it without waiting")                                         \
	X("warmUp", mp_core_warm_up, "open connections ahead of the load and wait for them")              \
	X("findHost", mp_core_find_host, "the address of a host that is named somehow")                   \
	/* requests */                                                                                    \
	X("submit", mp_core_submit, "send a request and wait for its answer")                             \
	X("submitValues", mp_core_submit_values, "the same with values that are no table")                \
	X("answer", mp_core_answer, "take what the wait was for")                                         \
	X("submitAsync", mp_core_submit_async, "send a request whose answer a future gets")               \
	X("prepare", mp_core_prepare, "a prepared statement")                                             \
	X("prepareFirst", mp_core_prepare_first, "the statement of a request")                            \
	X("checkRequest", mp_core_check_request, "raise what execute would raise")                        \
	X("checkBatch", mp_core_check_batch, "raise what batch would raise; what to prepare")             \
	X("submitBatch", mp_core_submit_batch, "send a batch, like submit or submitAsync")                \
	X("statementDefaults", mp_core_statement_defaults, "the options of every request of a statement") \
	X("onResult", mp_core_on_result, "what finds the parts of a result")                              \
	X("resultField", mp_core_result_field, "a part of a result that is made on demand")               \
	X("pageValues", mp_core_page_values, "the values of one row of a page")                           \
	X("resultRow", mp_core_result_row, "one row of a result")                                         \
	/* events */                                                                                      \
	X("wantEvent", mp_core_want_event, "a handler asks for an event")                                 \
	X("nextEvent", mp_core_next_event, "wait for the next event")                                     \
	X("missedEvent", mp_core_missed_event, "an event that a handler was not called for")              \
	X("eventNames", mp_core_event_names, "the names of all events")                                   \
	X("handles", mp_core_handles, "the running coroutine is a handler")                               \
	/* looking at a pool */                                                                           \
	X("getStats", mp_core_get_stats, "the counts of a pool")                                          \
	X("getMetrics", mp_core_get_metrics, "its figures over the last seconds")                         \
	X("getAnalysis", mp_core_get_analysis, "what else is measured, for analysis.lua")                 \
	X("setLogLevel", mp_core_set_log_level, "another level of its log")                               \
	X("openMetrics", mp_core_open_metrics, "what pools have counted, as OpenMetrics text")            \
	X("getConnectionDetails", mp_core_get_connection_details, "its connections, one by one")          \
	X("getHosts", mp_core_get_hosts, "its hosts")                                                     \
	X("getRing", mp_core_get_ring, "who keeps what, as slices of the ring")                           \
	X("policies", mp_core_policies, "its policies in force")                                          \
	X("decisions", mp_core_decisions, "the last records of its decision log, as lines")               \
	/* hosts */                                                                                       \
	X("setHostWeight", mp_core_set_host_weight, "tell the policies a host's weight")                  \
	X("setHostTags", mp_core_set_host_tags, "tell the policies a host's tags")                        \
	X("explain", mp_core_explain, "the plan that a request would get")                                \
	X("holdHost", mp_core_hold_host, "pause, drain or resume a host")                                 \
	X("severHost", mp_core_sever_host, "drain a host without waiting for requests")                   \
	X("hintHost", mp_core_hint_host, "somebody else sees a host up, or down")                         \
	X("preparedTexts", mp_core_prepared_texts, "the statements that a pool has prepared")             \
	X("renewHost", mp_core_renew_host, "replace the connections of a host")                           \
	X("resizeHost", mp_core_resize_host, "how many connections a host gets")                          \
	X("shareHost", mp_core_share_host, "the share of its requests that a host gets")                  \
	X("drainHost", mp_core_drain_host, "drain a host and wait until its connections are closed")      \
	X("recoverHost", mp_core_recover_host, "try to connect to a host and wait until it stands")       \
	X("lookUp", mp_core_look_up, "the addresses of a name")                                           \
	X("joinNode", mp_core_join_node, "wait until a node is used and connected")                       \
	X("expelNode", mp_core_expel_node, "a host is not used any more")                                 \
	X("leaveNode", mp_core_leave_node, "wait until nothing is left of an expelled host")              \
	X("serveFrom", mp_core_serve_from, "wait until that datacentre serves")                           \
	/* what changes while a pool runs */                                                              \
	X("reloadPolicies", mp_core_reload_policies, "read its policies again")                           \
	X("rollback", mp_core_rollback, "back to the policies before")                                    \
	X("canary", mp_core_canary, "how generations on trial stand")                                     \
	X("endCanary", mp_core_end_canary, "promote or abort one")                                        \
	X("applyConfig", mp_core_apply_config, "another configuration")                                   \
	X("identity", mp_core_identity, "what the cluster has told about itself")                         \
	X("readFile", mp_core_read_file, "the text of a Lua file")                                        \
	X("listFolder", mp_core_list_folder, "the names in a folder")                                     \
	X("makeFolder", mp_core_make_folder, "a folder for this user, unless it is there")                \
	X("onChange", mp_core_on_change, "what is called when a file has changed")                        \
	X("watch", mp_core_watch, "watch a file of a pool")                                               \
	/* policy files, without a pool */                                                                \
	X("checkPolicy", mp_core_check_policy, "would a policy file be taken?")                           \
	X("rehearse", mp_core_rehearse, "a policy without a session")                                     \
	X("askRehearsal", mp_core_ask_rehearsal, "what it plans for a record of the decision log")        \
	X("cover", mp_core_cover, "note which lines of policies run from now on")                         \
	X("covered", mp_core_covered, "which lines did, and from where")                                  \
	X("newSigningKey", mp_core_new_signing_key, "a private key as PEM, and its public part")          \
	X("signText", mp_core_sign_text, "the signature of a text")                                       \
	X("codeWords", mp_core_code_words, "the words of a Lua text without its comments and strings")    \
	/* the control socket */                                                                          \
	X("listenControl", mp_core_listen_control, "answer questions at a socket")                        \
	X("replyControl", mp_core_reply_control, "the answer to a question")                              \
	X("waitsControl", mp_core_waits_control, "does somebody wait for it still?")                      \
	X("closeControl", mp_core_close_control, "answer no more")                                        \
	X("askControl", mp_core_ask_control, "ask at the socket of another process")

#define X(name, function, what) int function(lua_State *L);
MP_CORE_FUNCTIONS(X)
#undef X
