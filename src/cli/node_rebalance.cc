#include <iostream>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/timeout.h"
#include "cli/duration.h"
#include "cli/list.h"
#include "cli/live_lines.h"
#include "cli/move_progress.h"
#include "cli/node.h"
#include "client/resuming_watch.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

std::string moves_text(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "move" : "moves");
}

void print_moves(const Context& context, const std::vector<v1::PlannedMove>& moves) {
  std::vector<Row> rows;
  for (const auto& move : moves) {
    const auto name = move.stack() + "/" + move.slot();
    rows.push_back({name, {name, move.from(), move.to(), move.reason()}, {move.task_uid()}});
  }
  print_rows(context, {"TASK", "FROM", "TO", "WHY"}, {"UID"}, rows);
}

base::Co<> read_until_done(std::shared_ptr<client::ResumingWatch> watch, std::shared_ptr<MoveProgress> progress) {
  while (!progress->is_done()) {
    CO_ASSIGN_OR_RETURN(const auto events, co_await watch->next());
    for (const auto& event : events) {
      if (event.type() == v1::WatchEvent::REMOVED)
        progress->remove_task(event.task().meta().uid());
      else
        progress->put(event.task());
    }
    progress->look();
  }
  co_return base::Result<>{};
}

base::Co<> draw(base::Clock* clock, std::shared_ptr<LiveLines> live, std::shared_ptr<MoveProgress> progress) {
  return keep_drawn(clock, std::move(live), [progress](base::Duration) { return progress->rows(); });
}

base::Co<> follow_moves(std::shared_ptr<client::ApiClient> api, base::Clock* clock,
                        std::shared_ptr<MoveProgress> progress, std::shared_ptr<LiveLines> live) {
  v1::WatchRequest request;
  request.add_kinds("Task");
  client::WatchOptions options;
  options.say = [live](const std::string& line) {
    std::cerr << "orchion: " << line << "\n";
    if (live) live->leave();
  };
  auto watch = std::make_shared<client::ResumingWatch>(std::move(api), *clock, std::move(request), std::move(options));
  auto ended = co_await (read_until_done(watch, progress) || draw(clock, live, progress));
  if (live) live->show(progress->rows());
  co_return std::visit([](auto& result) { return result; }, ended);
}

int wait_for_moves(Context& context, std::shared_ptr<client::ApiClient> api, std::vector<v1::PlannedMove> moves,
                   base::Duration limit) {
  const auto progress = std::make_shared<MoveProgress>(std::move(moves));
  const auto followed =
      context.run(base::with_timeout(context.clock(), limit, "moving (which goes on; `orchion events` tells of it)",
                                     follow_moves(std::move(api), &context.clock(), progress, live_lines(context))));
  for (const auto& failure : progress->failures()) context.say("orchion: " + failure);
  if (!followed) return context.fail(followed.error());
  context.tell(fmt::format("moved {} of {} {}", progress->moved(), progress->moves(),
                           progress->moves() == 1 ? "task" : "tasks"));
  return progress->moved() == progress->moves() ? int{kExitOk} : int{kExitFailed};
}

}  // namespace

int run_node_rebalance(Context& context, const RebalanceOptions& options) {
  const auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  auto request = std::make_shared<v1::RebalanceRequest>();
  request->set_moves_max(options.moves_max);
  request->set_dry_run(options.dry_run);
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json = context.run((*api)->call_json("orchion.v1.NodeService.Rebalance", std::move(request)));
  if (!json) return context.fail(json.error());
  v1::RebalanceResponse planned;
  if (auto parsed = client::parse_json(*json, planned); !parsed) return context.fail(parsed.error());
  std::vector<v1::PlannedMove> moves(planned.moves().begin(), planned.moves().end());
  if (!planned.under_way().empty()) {
    moves.assign(planned.under_way().begin(), planned.under_way().end());
    context.say(fmt::format("{} under way already: nothing is planned before {} over", moves_text(moves.size()),
                            moves.size() == 1 ? "it is" : "they are"));
  }
  if (wants_object(context)) {
    if (const int code = print_object(context, *json); code != kExitOk) return code;
  } else if (!moves.empty()) {
    print_moves(context, moves);
  }
  if (moves.empty()) {
    context.tell("nothing to move: no task could go where it would make nodes more evenly full");
    return kExitOk;
  }
  if (options.dry_run) {
    context.tell("this is what would be done: nothing was moved");
    return kExitOk;
  }
  if (options.detach) {
    context.tell(fmt::format("{} asked for; `orchion events` tells of each", moves_text(moves.size())));
    return kExitOk;
  }
  return wait_for_moves(context, *api, std::move(moves), *limit);
}

}  // namespace orchion::cli
