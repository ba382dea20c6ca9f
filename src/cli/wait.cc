#include <map>

#include <fmt/core.h>

#include "base/timeout.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/poll.h"
#include "cli/stack_part.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// What isn't there any more is what was waited for.
int wait_until_removed(Context& context, std::shared_ptr<client::ApiClient> api, const std::vector<std::string>& what,
                       base::Duration limit) {
  for (const auto& word : what) {
    auto address = find_part(context, *api, word);
    if (!address) return context.refuse(address.error());
    base::Result<> gone;
    if (address->service.empty()) {
      gone = context.run(follow_removal(api, &context.clock(), address->stack, limit));
    } else {
      v1::GetServiceRequest request;
      request.set_stack(address->stack);
      request.set_name(address->service);
      gone = context.run(base::with_timeout(
          context.clock(), limit, "removing service " + word,
          poll_until_gone<v1::Service>(api, &context.clock(), "orchion.v1.ServiceService.GetService", request)));
    }
    if (!gone) return context.fail(gone.error());
    context.say(word + " is gone");
  }
  return kExitOk;
}

}  // namespace

int run_wait(Context& context, const std::vector<std::string>& what, const std::string& condition,
             const std::string& timeout) {
  static const std::map<std::string, Goal> goals = {{"running", Goal::kRunning},
                                                    {"healthy", Goal::kHealthy},
                                                    {"completed", Goal::kCompleted},
                                                    {"stopped", Goal::kStopped}};
  auto limit = parse_duration(timeout);
  if (!limit) return context.refuse(limit.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto goal = goals.find(condition);
  if (goal == goals.end()) return wait_until_removed(context, *api, what, *limit);
  auto parts = find_stack_parts(context, **api, what);
  if (!parts) return context.refuse(parts.error());
  return wait_for_parts(context, *api, *parts, goal->second, *limit);
}

}  // namespace orchion::cli
