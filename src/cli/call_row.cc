#include "cli/call_row.h"

#include <algorithm>

#include <fmt/core.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "cli/live_lines.h"
#include "core/quantities.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

base::Co<std::string> call_and_draw(base::Co<std::string> call, base::Co<> drawing) {
  auto ended = co_await (std::move(call) || std::move(drawing));
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return std::unexpected(std::get<1>(ended).error());
}

}  // namespace

std::string text_of(const Sent& sent) {
  const auto bytes = core::format_bytes(sent.bytes);
  if (sent.all) return bytes + " sent, unpacking";
  return sent.total > 0 ? fmt::format("{} of {} sent ({} %)", bytes, core::format_bytes(sent.total),
                                      std::min<std::int64_t>(100, sent.bytes * 100 / sent.total))
                        : bytes + " sent";
}

base::Result<std::string> run_with_row(Context& context, const std::string& name, std::function<std::string()> text,
                                       base::Co<std::string> call) {
  const auto live = live_lines(context);
  const auto began = context.clock().now();
  auto rows = [name, text = std::move(text)](base::Duration elapsed) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
    return std::vector<ProgressRow>{
        {ProgressRow::Mark::kWorking, name, fmt::format("{}  {}", text(), elapsed_text(seconds))}};
  };
  auto json = context.run(call_and_draw(std::move(call), keep_drawn(&context.clock(), live, rows)));
  if (!live) return json;
  auto last = rows(context.clock().now() - began);
  last.front().mark = json ? ProgressRow::Mark::kDone : ProgressRow::Mark::kFailed;
  live->show(last);
  return json;
}

}  // namespace orchion::cli
