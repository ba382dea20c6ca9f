#pragma once

#include "v1/specs.pb.h"

namespace orchion::core {

// Whether it is for any GPU at all.
inline bool wants_gpus(const v1::GpuRequest& request) {
  return request.all() || request.count() > 0 || request.share_milli() > 0;
}

}  // namespace orchion::core
