#include <map>

#include <fmt/core.h>

#include "base/timeout.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/stack_part.h"
#include "client/patience.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr auto kPoll = std::chrono::milliseconds(100);

base::Co<> poll_until_no_service(std::shared_ptr<client::ApiClient> api, base::Clock* clock,
                                 v1::GetServiceRequest request) {
  client::Patience patience(*clock);
  while (true) {
    auto found = co_await api->call<v1::Service>("orchion.v1.ServiceService.GetService", request);
    if (!found && found.error().code == base::Code::kNotFound) co_return base::Result<>{};
    if (!found) {
      CO_RETURN_IF_ERROR(co_await patience.wait_after(std::move(found).error()));
      continue;
    }
    patience.answered();
    CO_RETURN_IF_ERROR(co_await clock->sleep(kPoll));
  }
}

// What isn't there any more is what was waited for, so that nothing is looked up first.
int wait_until_removed(Context& context, std::shared_ptr<client::ApiClient> api, const std::vector<std::string>& what,
                       base::Duration limit) {
  for (const auto& word : what) {
    auto address = core::parse_address(word);
    if (!address) return context.fail(address.error());
    base::Result<> gone;
    if (address->stack.empty() && context.options().stack.empty()) {
      gone = context.run(follow_removal(api, &context.clock(), word, limit));
    } else {
      v1::GetServiceRequest request;
      request.set_stack(address->stack.empty() ? context.options().stack : address->stack);
      request.set_name(address->service);
      gone = context.run(base::with_timeout(context.clock(), limit, "removing service " + word,
                                            poll_until_no_service(api, &context.clock(), std::move(request))));
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
  if (!limit) return context.fail(limit.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto goal = goals.find(condition);
  if (goal == goals.end()) return wait_until_removed(context, *api, what, *limit);
  auto parts = find_stack_parts(context, **api, what);
  if (!parts) return context.fail(parts.error());
  return wait_for_parts(context, *api, *parts, goal->second, *limit);
}

}  // namespace orchion::cli
