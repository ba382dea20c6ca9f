#include "control/services/log_output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/notifier.h"
#include "control/services/task_logs.h"
#include "core/log_batch.h"
#include "core/log_line.h"
#include "core/pattern.h"
#include "core/timestamps.h"

namespace orchion::control::services {

namespace {

constexpr std::size_t kBatchesInFlight = 8;

base::Result<> check(const v1::LogsRequest& request) {
  for (const auto& field : request.fields()) {
    if (field.find('=') != std::string::npos && !field.starts_with('=')) continue;
    auto refused =
        base::fail(base::Code::kInvalidArgument, fmt::format("{} is no field with its value: write status=500", field));
    refused.error().fields = {{"/fields", refused.error().message}};
    return refused;
  }
  if (request.fixed() && request.grep().size() <= 4096) return {};
  auto checked = core::check_pattern(request.grep());
  if (!checked) checked.error().fields = {{"/grep", checked.error().message}};
  return checked;
}

v1::LogLine to_line(const core::BatchLine& line) {
  const auto& source = *line.source;
  v1::LogLine result;
  result.set_stack(source.stack());
  result.set_service(source.service());
  result.set_run(source.run());
  result.set_slot(source.slot());
  result.set_task_uid(source.task_uid());
  result.set_node(source.node());
  *result.mutable_time() = core::to_timestamp(base::WallTime(base::Duration(line.time_ns)));
  result.set_stream(line.is_error ? v1::LogLine::STDERR : v1::LogLine::STDOUT);
  result.set_level(core::level_of(line.text));
  result.set_line(std::string(line.text));
  if (auto json = core::parse_json_line(line.text)) {
    result.set_message(std::move(json->message));
    for (auto& [name, value] : json->fields) (*result.mutable_fields())[name] = std::move(value);
  }
  return result;
}

base::Co<> forward_lines(core::TypedStream<v1::LogsRequest, v1::LogLine> stream, std::shared_ptr<LogBatches> batches) {
  while (true) {
    CO_ASSIGN_OR_RETURN(auto batch, co_await batches->receive());
    if (!batch) co_return base::Result<>{};
    if (!batch->notice().empty()) {
      v1::LogLine notice;
      notice.set_notice(batch->notice());
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(notice)));
    }
    for (core::LogBatchReader reader(std::move(*batch)); reader.has_line(); reader.pass()) {
      auto line = to_line(reader.line());
      CO_RETURN_IF_ERROR(co_await stream.send(std::move(line)));
    }
  }
}

// Before each line of a batch: who says it, and when.
class Prefixes {
 public:
  explicit Prefixes(const v1::LogsRequest& request)
      : with_stack_(request.stack().empty()), with_times_(request.timestamps()) {}

  void write(const core::BatchLine& line, std::string& text) {
    if (with_times_) write_time(line.time_ns, text);
    if (line.source->task_uid() != last_uid_) {
      const auto& source = *line.source;
      last_uid_ = source.task_uid();
      name_ = fmt::format("{}{}{}.{} | ", with_stack_ ? source.stack() : "", with_stack_ ? "/" : "",
                          source.run().empty() ? source.service() : source.run(), source.slot());
    }
    text += name_;
  }

 private:
  // "2026-11-22T18:01:02.123456789Z ". Most lines are of the same second as the one before.
  void write_time(std::int64_t time_ns, std::string& text) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(base::WallTime(base::Duration(time_ns)));
    if (seconds != second_ || second_text_.empty()) {
      second_ = seconds;
      second_text_ = fmt::format("{:%FT%T}", seconds);
    }
    const auto rest = base::WallTime(base::Duration(time_ns)) - seconds;
    fmt::format_to(std::back_inserter(text), "{}.{:09}Z ", second_text_, rest.count());
  }

  bool with_stack_;
  bool with_times_;
  std::string last_uid_;
  std::string name_;
  std::chrono::sys_seconds second_{};
  std::string second_text_;
};

base::Co<> forward_text(core::TypedStream<v1::LogsRequest, v1::FilePiece> stream, v1::LogsRequest request,
                        std::shared_ptr<LogBatches> batches) {
  Prefixes prefixes(request);
  while (true) {
    CO_ASSIGN_OR_RETURN(auto batch, co_await batches->receive());
    if (!batch) co_return base::Result<>{};
    v1::FilePiece piece;
    auto& text = *piece.mutable_data();
    if (!batch->notice().empty()) text += fmt::format("-- {} --\n", batch->notice());
    text.reserve(batch->text().size() + static_cast<std::size_t>(batch->lengths_size()) * 16);
    for (core::LogBatchReader reader(std::move(*batch)); reader.has_line(); reader.pass()) {
      const auto line = reader.line();
      prefixes.write(line, text);
      text += line.text;
      text += '\n';
    }
    if (!text.empty()) CO_RETURN_IF_ERROR(co_await stream.send(std::move(piece)));
  }
}

// The end of the channel, not of this coroutine, is what ends the answer.
base::Co<> collect(ServiceContext context, NodeStreams* streams, v1::LogsRequest request,
                   std::shared_ptr<LogBatches> batches) {
  CO_RETURN_IF_ERROR(co_await read_logs(context, streams, std::move(request), std::move(batches)));
  co_return co_await base::wait_for_ever();
}

template <class Stream>
base::Co<v1::LogsRequest> receive_request(ServiceContext context, Stream stream) {
  CO_ASSIGN_OR_RETURN(auto request, co_await stream.receive());
  if (!request) co_return base::fail(base::Code::kInvalidArgument, "the call carried no request");
  CO_RETURN_IF_ERROR(check(*request));
  co_return resolve_logs(context.objects.view(), std::move(*request));
}

}  // namespace

base::Co<> send_log_lines(ServiceContext context, NodeStreams& streams,
                          core::TypedStream<v1::LogsRequest, v1::LogLine> stream) {
  using boost::asio::experimental::awaitable_operators::operator||;
  CO_ASSIGN_OR_RETURN(auto request, co_await receive_request(context, stream));
  auto batches = std::make_shared<LogBatches>(context.executor, kBatchesInFlight);
  auto ended = co_await (forward_lines(stream, batches) || collect(context, &streams, std::move(request), batches));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

base::Co<> send_log_text(ServiceContext context, NodeStreams& streams,
                         core::TypedStream<v1::LogsRequest, v1::FilePiece> stream) {
  using boost::asio::experimental::awaitable_operators::operator||;
  CO_ASSIGN_OR_RETURN(auto request, co_await receive_request(context, stream));
  auto batches = std::make_shared<LogBatches>(context.executor, kBatchesInFlight);
  auto ended = co_await (forward_text(stream, request, batches) || collect(context, &streams, request, batches));
  co_return ended.index() == 0 ? std::get<0>(ended) : std::get<1>(ended);
}

}  // namespace orchion::control::services
