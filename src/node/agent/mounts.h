#pragma once

#include <vector>

#include "node/runtimes/runtime.h"
#include "node/volumes/volumes.h"
#include "v1/dispatcher.pb.h"

namespace orchion::base {
class WorkerPool;
}

namespace orchion::node::agent {

// The folders behind a task's mounts. Makes volumes, and host folders where that was asked for.
// kFailedPrecondition: a bind mount's source doesn't exist. `workers` may be null: looked up inline.
base::Co<std::vector<runtimes::MountPoint>> resolve_mounts(v1::TaskAssignment assignment, volumes::Volumes& volumes,
                                                           base::WorkerPool* workers);

}  // namespace orchion::node::agent
