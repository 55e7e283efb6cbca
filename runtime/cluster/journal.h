// SPDX-License-Identifier: Apache-2.0
// A line of the log for each request that the configuration wants to hear of: every one (logRequests), those that
// failed (logErrors), those that were slow (slowRequestMs). One line for each, whatever it is wanted for.
//
// It tells the statement without its constants, never a value, and of an error its name: what a server says about one
// may quote the statement.
#pragma once

#include "cluster/session.h"

void mp_journal_ended(const struct mp_request *request, const struct mp_outcome *outcome);
void mp_journal_refused(const struct mp_request *request, int rc); // submit returned an error
