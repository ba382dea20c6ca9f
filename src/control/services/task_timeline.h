#pragma once

#include <memory>

#include "base/error.h"
#include "control/store/view.h"
#include "v1/control.pb.h"

namespace orchion::control::services {

// What became of `task`, or of the one that `request` names and that is gone, where `task` is null. kNotFound, in a
// sentence, where there is no record of it.
base::Result<v1::TaskTimeline> timeline_of(const store::View& view, std::shared_ptr<const v1::Task> task,
                                           const v1::GetTaskTimelineRequest& request);

}  // namespace orchion::control::services
