#pragma once

// What tasks write, printed as it comes.

#include <functional>
#include <memory>
#include <string>

#include "base/co.h"
#include "client/api_client.h"
#include "v1/control.pb.h"

namespace orchion::cli {

// Until the stream ends: each line to the stream by which it came, after what `lead` makes of it, which may be empty;
// notices to standard error.
base::Co<> print_output(std::shared_ptr<client::ApiClient> api, std::shared_ptr<const v1::LogsRequest> request,
                        std::function<std::string(const v1::LogLine&)> lead = {});

}  // namespace orchion::cli
