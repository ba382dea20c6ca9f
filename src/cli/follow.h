#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cli/live_lines.h"
#include "cli/progress.h"
#include "client/api_client.h"

namespace orchion::cli {

// An obstacle may pass by itself (a port that is being given up, a node that joins): it counts after this long.
inline constexpr auto kObstacleGrace = std::chrono::seconds(3);

// Watches one stack, also through a restart of the server, and hands every event to `progress`, until it is done
// (true), can't be (false: obstacles that stood for some seconds without progress), or `limit` has passed
// (kDeadlineExceeded). `live`, which may be null, shows how far it is.
base::Co<bool> follow_stack(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack,
                            std::shared_ptr<StackProgress> progress, base::Duration limit,
                            std::shared_ptr<LiveLines> live);

// Returns when the stack is gone.
base::Co<> follow_removal(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack,
                          base::Duration limit);

// The same, while `live` shows how the services of `stack`, as it was before, end.
base::Co<> follow_removal_live(std::shared_ptr<client::ApiClient> api, base::Clock* clock, v1::Stack stack,
                               base::Duration limit, std::shared_ptr<LiveLines> live);

}  // namespace orchion::cli
