#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "base/clock.h"

namespace orchion::core {

google::protobuf::Timestamp to_timestamp(base::WallTime time);
base::WallTime from_timestamp(const google::protobuf::Timestamp& timestamp);
google::protobuf::Duration to_duration(base::Duration duration);
base::Duration from_duration(const google::protobuf::Duration& duration);

}  // namespace orchion::core
