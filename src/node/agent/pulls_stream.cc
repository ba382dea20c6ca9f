// How far this machine's pulls are, for as long as somebody looks.

#include <map>
#include <utility>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "node/agent/blocking.h"
#include "node/agent/streams.h"

namespace orchion::node::agent {

namespace {

constexpr auto kInterval = std::chrono::milliseconds(200);

using images::PullState;

// What one stream was told last, by the pull's number.
using Told = std::map<std::uint64_t, PullState>;

bool says_more(const Told& told, const PullState& state) {
  const auto before = told.find(state.number);
  if (before == told.end()) return true;
  const auto& last = before->second;
  return !last.ended && (last.done_bytes != state.done_bytes || last.total_bytes != state.total_bytes || state.ended);
}

base::Co<std::vector<PullState>> look(base::WorkerPool* workers, images::PullBoard* board) {
  auto job = [board]() -> base::Result<std::vector<PullState>> { return board->look(); };
  co_return co_await run_blocking(workers, std::move(job));
}

base::Co<> send_changes(base::Clock* clock, base::WorkerPool* workers, images::PullBoard* board,
                        std::shared_ptr<DataStream> stream) {
  Told told;
  // What ended before anybody looked is over.
  CO_ASSIGN_OR_RETURN(const auto earlier, co_await look(workers, board));
  for (const auto& state : earlier)
    if (state.ended) told[state.number] = state;
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto states, co_await look(workers, board));
    Told now;
    for (const auto& state : states) {
      now[state.number] = state;
      if (!says_more(told, state)) continue;
      v1::StreamFromAgent message;
      auto& progress = *message.mutable_pull_progress();
      progress.set_reference(state.reference);
      progress.set_done_bytes(state.done_bytes);
      progress.set_total_bytes(state.total_bytes);
      progress.set_ended(state.ended);
      CO_RETURN_IF_ERROR(co_await stream->send(std::move(message)));
    }
    told = std::move(now);
    CO_RETURN_IF_ERROR(co_await clock->sleep(kInterval));
  }
}

base::Co<> wait_until_gone(std::shared_ptr<DataStream> stream) {
  while (true) {
    auto message = co_await stream->receive();
    if (!message || !*message) co_return base::Result<>{};
  }
}

}  // namespace

base::Co<> StreamServer::pulls(std::shared_ptr<DataStream> stream) {
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (send_changes(&parts_.clock, parts_.workers, &parts_.images.pull_board(), stream) ||
                         wait_until_gone(stream));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::node::agent
