#pragma once

#include "base/clock.h"
#include "v1/specs.pb.h"

namespace orchion::core {

// The network a service joins where its file names none.
inline constexpr const char* kDefaultNetwork = "default";

// Makes specs complete, so that what is stored says all that holds: replicas 1, restart DEFAULT, a stop grace of 10 s,
// ports over tcp, dependencies on STARTED, REPLACE on a node's loss (WAIT where a volume pins the tasks to their node),
// the network "default" where a service names none, and that network in the stack where a service uses it and the
// stack doesn't describe it. What is set stays; a second time changes nothing.
void fill_defaults(v1::ServiceSpec& spec);
void fill_defaults(v1::StackSpec& spec);

// Likewise of a job: one completion, one task at a time, 1 s of backoff, kept for 7 days; of a schedule UTC and 60 s to
// begin in.
void fill_defaults(v1::JobSpec& spec);

// How many tasks shall run: none of a stopped service, else its replicas.
std::uint32_t tasks_wanted(const v1::ServiceSpec& spec);

// From the stop signal to SIGKILL; 10 s where the spec says nothing.
base::Duration stop_grace_period(const v1::ContainerSpec& container);

}  // namespace orchion::core
