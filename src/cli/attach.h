#pragma once

#include <memory>
#include <string>

#include "cli/context.h"
#include "cli/detach_keys.h"
#include "v1/control.pb.h"

namespace orchion::cli {

struct Attachment {
  std::string stack;
  std::string task;
  bool input = false;
  bool tty = false;  // the container has one
  DetachKeys keys;
};

// Until the container ends or is left; nullopt: it was left, and whoever looks was told how to come back.
base::Result<std::optional<int>> attach_to(Context& context, std::shared_ptr<client::ApiClient> api,
                                           const Attachment& to);

}  // namespace orchion::cli
