#include "cli/follow.h"

#include <iostream>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "base/timeout.h"
#include "cli/poll.h"
#include "client/resuming_watch.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

constexpr auto kLook = std::chrono::milliseconds(100);

void hand_over(const v1::WatchEvent& event, StackProgress& progress) {
  if (event.type() == v1::WatchEvent::REMOVED) {
    if (event.has_task()) progress.remove_task(event.task().meta().uid());
    if (event.has_service()) progress.remove_service(event.service().meta().name());
    return;
  }
  if (event.has_task()) progress.put(event.task());
  if (event.has_service()) progress.put(event.service());
  if (event.has_stack()) progress.put(event.stack());
}

bool is_of(const v1::WatchEvent& event, const std::string& stack) {
  return event.task().meta().stack() == stack || event.service().meta().stack() == stack ||
         event.stack().meta().name() == stack;
}

base::Co<> read_until_done(std::shared_ptr<client::ResumingWatch> watch, std::string stack,
                           std::shared_ptr<StackProgress> progress) {
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto events, co_await watch->next());
    for (const auto& event : events)
      if (is_of(event, stack)) hand_over(event, *progress);
    if (progress->is_done()) co_return base::Result<>{};
  }
}

base::Co<> wait_for_lasting_obstacle(base::Clock* clock, std::shared_ptr<StackProgress> progress) {
  std::vector<std::string> last;
  auto since = clock->now();
  while (true) {
    CO_RETURN_IF_ERROR(co_await clock->sleep(kLook));
    auto now = progress->obstacles();
    if (now != last || now.empty()) {
      last = std::move(now);
      since = clock->now();
    } else if (clock->now() - since > kObstacleGrace) {
      co_return base::Result<>{};
    }
  }
}

std::shared_ptr<client::ResumingWatch> open_watch(std::shared_ptr<client::ApiClient> api, base::Clock* clock,
                                                  std::shared_ptr<LiveLines> live) {
  // A stack belongs to no stack: its own changes are watched without the filter that its content has.
  v1::WatchRequest request;
  for (const char* kind : {"Task", "Service", "Stack"}) request.add_kinds(kind);
  client::WatchOptions options;
  options.say = [live](const std::string& line) {
    std::cerr << "orchion: " << line << "\n";
    if (live) live->leave();
  };
  return std::make_shared<client::ResumingWatch>(std::move(api), *clock, std::move(request), std::move(options));
}

base::Co<> draw(base::Clock* clock, std::shared_ptr<LiveLines> live, std::shared_ptr<StackProgress> progress) {
  return keep_drawn(clock, std::move(live), [progress](base::Duration elapsed) { return progress->rows(elapsed); });
}

// Only where it is shown.
base::Co<> watch_pulls(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::shared_ptr<LiveLines> live,
                       std::shared_ptr<StackProgress> progress) {
  if (!live) co_return co_await base::wait_for_ever();
  OnPull take = [progress, clock](const v1::PullProgress& pull) { progress->put(pull, clock->now()); };
  co_return co_await read_pulls(std::move(api), clock, std::move(take));
}

base::Co<bool> follow(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack,
                      std::shared_ptr<StackProgress> progress, std::shared_ptr<LiveLines> live) {
  auto watch = open_watch(api, clock, live);
  const auto began = clock->now();
  auto ended = co_await (read_until_done(watch, stack, progress) || wait_for_lasting_obstacle(clock, progress) ||
                         draw(clock, live, progress) || watch_pulls(api, clock, live, progress));
  if (live) live->show(progress->rows(clock->now() - began));
  if (ended.index() == 0) {
    CO_RETURN_IF_ERROR(std::get<0>(ended));
    co_return true;
  }
  CO_RETURN_IF_ERROR(std::visit([](auto& result) { return result; }, ended));
  co_return false;
}

// What the watch says about a stack that goes. Whether it has gone is for others to say.
base::Co<> read_for_ever(std::shared_ptr<client::ResumingWatch> watch, std::string stack,
                         std::shared_ptr<StackProgress> progress) {
  while (true) {
    const auto events = co_await watch->next();
    if (!events) co_return co_await base::wait_for_ever();
    for (const auto& event : *events)
      if (is_of(event, stack)) hand_over(event, *progress);
  }
}

std::vector<ProgressRow> gone(const v1::Stack& stack) {
  std::vector<ProgressRow> rows;
  for (const auto& service : stack.spec().services())
    rows.push_back({ProgressRow::Mark::kDone, service.name(), "gone"});
  return rows;
}

}  // namespace

base::Co<bool> follow_stack(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack,
                            std::shared_ptr<StackProgress> progress, base::Duration limit,
                            std::shared_ptr<LiveLines> live) {
  co_return co_await base::with_timeout(*clock, limit, "starting stack " + stack,
                                        follow(std::move(api), clock, stack, std::move(progress), std::move(live)));
}

base::Co<> follow_removal(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack,
                          base::Duration limit) {
  v1::GetStackRequest request;
  request.set_name(stack);
  co_return co_await base::with_timeout(
      *clock, limit, "removing stack " + stack,
      poll_until_gone<v1::Stack>(std::move(api), clock, "orchion.v1.StackService.GetStack", std::move(request)));
}

base::Co<> follow_removal_live(std::shared_ptr<client::ApiClient> api, base::Clock* clock, v1::Stack stack,
                               base::Duration limit, std::shared_ptr<LiveLines> live) {
  const auto name = stack.meta().name();
  auto progress = std::make_shared<StackProgress>(stack, Goal::kStopped);
  auto ended = co_await (follow_removal(api, clock, name, limit) ||
                         read_for_ever(open_watch(api, clock, live), name, progress) || draw(clock, live, progress));
  CO_RETURN_IF_ERROR(ended.index() == 0   ? std::get<0>(ended)
                     : ended.index() == 1 ? std::get<1>(ended)
                                          : std::get<2>(ended));
  live->show(gone(stack));
  co_return base::Result<>{};
}

}  // namespace orchion::cli
