#pragma once

#include <string>

#include "v1/dispatcher.pb.h"

namespace orchion::node::agent {

// As what the lines of this task are told. `node`: this one's name.
v1::LogSource log_source(const v1::Task& task, const std::string& node);

}  // namespace orchion::node::agent
