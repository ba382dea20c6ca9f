#pragma once

// From a stack's manifest to its services, jobs, networks, network policies and volumes.

#include <memory>
#include <vector>

#include "control/controllers/job_planner.h"
#include "control/controllers/network_planner.h"
#include "control/controllers/service_planner.h"

namespace orchion::control::controllers {

using StackPtr = std::shared_ptr<const v1::Stack>;
using VolumePtr = std::shared_ptr<const v1::Volume>;
using NetworkPolicyPtr = std::shared_ptr<const v1::NetworkPolicy>;

struct StackSnapshot {
  StackPtr stack;                    // null: it is gone
  std::vector<ServicePtr> services;  // of the stack, deleted ones included
  std::vector<JobPtr> jobs;
  std::vector<NetworkPtr> networks;
  std::vector<VolumePtr> volumes;
  std::vector<NetworkPolicyPtr> policies;
};

// One step towards the manifest: what it names is made or changed; what earlier manifests made and this one doesn't
// name is asked to go, volumes excepted, because their data is worth more than a line in a file. What is going and
// named again is made anew when it is gone.
//
// A job that goes with its runs is taken out of the manifest when it says that they are gone.
//
// Network policies wait for nobody: they are made before what they are about, and are gone at once when nothing names
// them any more; those of a stack that is being deleted hold until its services and jobs are gone.
//
// A stack that is being deleted asks its services and jobs to go; when they are gone its networks, and its volumes
// where the stack carries core::kDeleteVolumesLabel; then it goes itself. Volumes that stay are found again by the next
// stack of the same name.
//
// The status: `observed_generation` follows when everything of the manifest stands and each service has seen its own
// part; `tasks_desired` counts what should be running, completed tasks excepted.
Plan plan_stack(const StackSnapshot& snapshot, Now now, base::Random& random);

}  // namespace orchion::control::controllers
