// The part of EngineRuntime about who is attached.

#include <fmt/core.h>

#include "node/logs/segment_follower.h"
#include "node/runtimes/attach/attach_stream.h"
#include "node/runtimes/engine/engine_input.h"
#include "node/runtimes/engine/engine_runtime.h"

namespace orchion::node::runtimes::engine {

namespace {

using base::Co;
using base::Result;
using node::engine::Dialect;
using node::engine::EngineClient;

// What the segments have of this attempt from before `until`.
Result<std::vector<ExecOutput>> read_written(base::Executor executor, std::filesystem::path folder,
                                             std::uint32_t attempt, base::WallTime until) {
  std::vector<ExecOutput> written;
  ASSIGN_OR_RETURN(auto records, logs::SegmentFollower::open(std::move(executor), folder));
  auto take = [&](const logs::Record& record) {
    if (record.header.attempt != static_cast<std::uint16_t>(attempt)) return;
    if (base::WallTime(base::Duration(record.header.time_ns)) >= until) return;
    auto& output = written.emplace_back();
    (record.header.stream == logs::OutputStream::kError ? output.error : output.out).emplace(record.payload);
  };
  while (true) {
    ASSIGN_OR_RETURN(const bool more, records.read_chunk(take));
    if (!more) return written;
  }
}

}  // namespace

// Docker's log has lines, and has them when they are whole: too late for who types, and never for bytes. Podman's has
// everything as it comes.
bool EngineRuntime::needs_feed(const ContainerRecord& record) const {
  return version_.dialect == Dialect::kDocker && (record.tty || record.stdin_open);
}

void EngineRuntime::drop_feed(const std::string& id) {
  const auto found = feeds_.find(id);
  if (found == feeds_.end()) return;
  found->second->stop();
  feeds_.erase(found);
}

// Before the container's start: it hears everything.
Co<> EngineRuntime::feed_new(std::string id, ContainerRecord record, std::uint32_t attempt) {
  drop_feed(id);
  if (!needs_feed(record)) co_return Result<>{};
  CO_ASSIGN_OR_RETURN(auto stream,
                      co_await client_->attach_container(record.engine_id, EngineClient::Attached::kOutput));
  feeds_[id] = LiveFeed::begin(executor_, clock_, attempt, {}, std::move(stream), record.tty);
  co_return Result<>{};
}

// One that an earlier agent started, or whose engine was away: what was written until now is in its log. None where it
// has ended, though nobody has noticed yet.
Co<std::shared_ptr<LiveFeed>> EngineRuntime::feed_of(std::string id, ContainerRecord record) {
  if (const auto found = feeds_.find(id); found != feeds_.end()) {
    const auto feed = found->second;
    if (feed->attempt() == record.attempt && (record.exit || !feed->ended())) co_return feed;
  }
  CO_ASSIGN_OR_RETURN(auto stream,
                      co_await client_->attach_container(record.engine_id, EngineClient::Attached::kOutput));
  const auto since = clock_.wall();
  // Only the stream of what runs comes to an end.
  CO_ASSIGN_OR_RETURN(const auto state, co_await client_->inspect_container(record.engine_id));
  if (!state || !state->running) co_return std::shared_ptr<LiveFeed>();
  capture(id);
  const auto capture = captures_.find(id);
  if (capture != captures_.end()) {
    const auto mine = capture->second;
    CO_RETURN_IF_ERROR(co_await mine->catch_up());
  }
  auto read = [executor = executor_, folder = log_folder(id), attempt = record.attempt, since] {
    return read_written(executor, folder, attempt, since);
  };
  CO_ASSIGN_OR_RETURN(auto written, co_await pool_.run(std::move(read)));
  drop_feed(id);
  auto& feed = feeds_[id];
  feed = LiveFeed::begin(executor_, clock_, record.attempt, std::move(written), std::move(stream), record.tty);
  co_return feed;
}

Co<std::unique_ptr<attach::AttachOutput>> EngineRuntime::open_output(std::string id, ContainerRecord record) {
  const bool kept = feeds_.contains(id) && feeds_[id]->attempt() == record.attempt;
  if (!needs_feed(record) || (record.exit && !kept))
    co_return attach::open_segment_output(executor_, log_folder(id), record.attempt);
  CO_ASSIGN_OR_RETURN(const auto feed, co_await feed_of(id, std::move(record)));
  if (!feed) co_return attach::open_segment_output(executor_, log_folder(id), record.attempt);
  co_return feed->open_output();
}

Co<std::unique_ptr<base::Stream<ExecOutput, ExecInput>>> EngineRuntime::attach(std::string id, AttachConfig config) {
  CO_ASSIGN_OR_RETURN(const auto* found, find_record(id));
  const auto record = *found;
  if (record.attempt == 0) co_return std::unexpected(attach::never_started(id));
  CO_RETURN_IF_ERROR(attach::check_input(config, record.stdin_open));
  capture(id);
  attach::AttachParts parts;
  parts.takes_input = config.stdin;
  CO_ASSIGN_OR_RETURN(parts.output, co_await open_output(id, record));
  if (!record.exit) {
    parts.input = record.tty ? open_engine_terminal(client_, record.engine_id)
                             : attach::open_pipe_input(executor_, gate_folder(id));
  }
  if (record.tty && parts.input && config.columns > 0) {
    // It may have ended meanwhile.
    [[maybe_unused]] const auto resized = co_await parts.input->resize(config.columns, config.rows);
  }
  co_return attach::make_attach_stream(executor_, std::move(parts), wait(id));
}

// Who keeps the input open is told to go.
Co<> EngineRuntime::end_input(std::string id) {
  auto job = [folder = gate_folder(id)] { return attach::end_pipe_input(folder); };
  co_return co_await pool_.run(std::move(job));
}

}  // namespace orchion::node::runtimes::engine
