#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <fmt/core.h>
#include <unistd.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/notifier.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/list.h"
#include "cli/stack_part.h"
#include "cli/terminal.h"
#include "cli/usage_board.h"
#include "client/patience.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

using boost::asio::experimental::awaitable_operators::operator||;

// How often is looked whether there is something new to draw.
constexpr auto kDrawInterval = std::chrono::milliseconds(100);

constexpr char kCtrlC = '\x03';

UsageOrder order_of(const std::string& text) {
  if (text == "memory") return UsageOrder::kMemory;
  return text == "name" ? UsageOrder::kName : UsageOrder::kCpu;
}

// In milliseconds.
base::Result<std::uint32_t> parse_interval(const std::string& text) {
  ASSIGN_OR_RETURN(const auto interval, parse_duration(text));
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(interval).count();
  if (ms < 200 || ms > 60'000)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--interval: {} is too {}: write 200ms to 60s", text, ms < 200 ? "short" : "long"));
  return static_cast<std::uint32_t>(ms);
}

bool is_table(const Context& context) {
  const auto format = context.options().output.format;
  return format == OutputFormat::kTable || format == OutputFormat::kWide;
}

// On a terminal that can be drawn on.
bool can_draw(const Context& context) {
  const char* terminal = std::getenv("TERM");
  const auto mode = context.options().progress;
  if (mode == ProgressMode::kTty) return true;
  return mode == ProgressMode::kAuto && ::isatty(STDOUT_FILENO) != 0 && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

// One service, one stack, that of the working folder, or everything.
base::Result<v1::ListUsageRequest> make_request(Context& context, client::ApiClient& api, const std::string& what) {
  v1::ListUsageRequest request;
  if (what.empty()) {
    if (auto stack = find_stack(context)) request.set_stack(*stack);
    return request;
  }
  ASSIGN_OR_RETURN(const auto address, find_part(context, api, what));
  if (address.slot != 0)
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("{} names one task: leave .{} out", what, address.slot));
  request.set_stack(address.stack);
  request.set_service(address.service);
  return request;
}

int print_once(Context& context, client::ApiClient& api, const v1::ListUsageRequest& request, UsageOrder order) {
  const auto json = context.run(
      api.call_json("orchion.v1.TaskService.ListUsage", std::make_shared<const v1::ListUsageRequest>(request)));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_list(context, *json, list_key<v1::TaskUsages>());
  v1::TaskUsages usages;
  if (auto parsed = client::parse_json(*json, usages); !parsed) return context.fail(parsed.error());
  print_rows(context, usage_heading(), usage_wide_heading(),
             usage_rows({usages.tasks().begin(), usages.tasks().end()}, order));
  return kExitOk;
}

// What goes on is shown, until it is ended.
struct Show {
  Show(Context& command, std::shared_ptr<client::ApiClient> client, v1::WatchUsageRequest wanted, UsageOrder by)
      : context(command),
        api(std::move(client)),
        request(std::make_shared<const v1::WatchUsageRequest>(std::move(wanted))),
        order(by),
        board(3 * std::chrono::milliseconds(request->interval_ms()) + std::chrono::seconds(1)) {}
  Context& context;
  const std::shared_ptr<client::ApiClient> api;
  const std::shared_ptr<const v1::WatchUsageRequest> request;
  const UsageOrder order;
  UsageBoard board;
  bool heard = false;  // there is something to show, be it that nothing runs
};

// Each message in the format that was asked for; tables are drawn by others. False: no more are wanted.
base::Result<bool> show_message(Show& show, const std::string& json) {
  const auto format = show.context.options().output.format;
  if (format == OutputFormat::kTemplate) {
    ASSIGN_OR_RETURN(const bool more, print_items(show.context, json, list_key<v1::TaskUsages>()));
    std::cout << std::flush;
    return more;
  }
  if (wants_object(show.context)) {
    RETURN_IF_ERROR(print_streamed(show.context, json));
    return true;
  }
  v1::TaskUsages usages;
  RETURN_IF_ERROR(client::parse_json(json, usages));
  show.board.take(usages, show.context.clock().now());
  show.heard = true;
  return true;
}

base::Co<> read_stream(std::shared_ptr<Show> show, client::Patience* patience) {
  CO_ASSIGN_OR_RETURN(const auto events,
                      co_await show->api->open_events("orchion.v1.TaskService.WatchUsage", show->request, ""));
  patience->answered();
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto event, co_await events->next());
    if (!event) co_return base::fail(base::Code::kUnavailable, "the server ended the connection");
    CO_ASSIGN_OR_RETURN(const bool more, show_message(*show, event->data));
    if (!more) co_return base::Result<>{};
  }
}

// Goes on over a restart of the server.
base::Co<> read_on(std::shared_ptr<Show> show) {
  client::Patience patience(show->context.clock());
  while (true) {
    auto ended = co_await read_stream(show, &patience);
    if (ended) co_return ended;
    CO_RETURN_IF_ERROR(co_await patience.wait_after(std::move(ended).error()));
  }
}

// Until q, or Ctrl-C, which a raw terminal hands over as a key. Without a terminal nobody presses any.
base::Co<> wait_for_key() {
  if (::isatty(STDIN_FILENO) == 0) co_return co_await base::wait_for_ever();
  boost::asio::posix::stream_descriptor input(co_await boost::asio::this_coro::executor);
  boost::system::error_code assigned;
  base::UniqueFd own(open_own_input());
  input.assign(own.get(), assigned);
  if (assigned) co_return co_await base::wait_for_ever();
  own.release();
  std::array<char, 64> keys;
  while (true) {
    auto [error, count] =
        co_await input.async_read_some(boost::asio::buffer(keys), boost::asio::as_tuple(boost::asio::use_awaitable));
    if (error) co_return co_await base::wait_for_ever();
    for (const char key : std::string_view(keys.data(), count)) {
      if (key == 'q' || key == 'Q') co_return base::Result<>{};
      if (key == kCtrlC) co_return base::fail(base::Code::kCancelled, "interrupted");
    }
  }
}

base::Co<> draw(std::shared_ptr<Show> show) {
  const bool wide = show->context.options().output.format == OutputFormat::kWide;
  const auto began = show->context.clock().now();
  std::vector<std::string> drawn;
  while (true) {
    const auto now = show->context.clock().now();
    // Of nothing that runs nothing is heard.
    show->heard = show->heard || now - began > std::chrono::seconds(2);
    if (show->heard) {
      const auto screen = terminal_size();
      auto lines =
          usage_screen(show->board.tasks(now), show->order, wide, "q ends it", {screen.columns(), screen.rows()});
      if (lines != drawn) std::cout << redraw(drawn.size(), lines) << '\r' << std::flush;
      drawn = std::move(lines);
    }
    CO_RETURN_IF_ERROR(co_await show->context.clock().sleep(kDrawInterval));
  }
}

base::Co<> show_live(std::shared_ptr<Show> show) {
  const RawTerminal raw;
  auto ended = co_await (wait_for_key() || read_on(show) || draw(show));
  co_return std::visit([](auto& result) { return result; }, ended);
}

// Where there is no terminal: one table below the other.
base::Co<> print_tables(std::shared_ptr<Show> show) {
  const auto interval = std::chrono::milliseconds(show->request->interval_ms());
  while (true) {
    CO_RETURN_IF_ERROR(co_await show->context.clock().sleep(interval));
    const auto rows = usage_rows(show->board.tasks(show->context.clock().now()), show->order);
    print_rows(show->context, usage_heading(), usage_wide_heading(), rows);
    std::cout << std::endl;
  }
}

base::Co<> show_below(std::shared_ptr<Show> show) {
  auto ended = co_await (read_on(show) || print_tables(show));
  co_return std::visit([](auto& result) { return result; }, ended);
}

}  // namespace

int run_top(Context& context, const TopOptions& options) {
  const auto interval = parse_interval(options.interval);
  if (!interval) return context.refuse(interval.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto request = make_request(context, **api, options.what);
  if (!request) return context.refuse(request.error());
  const auto order = order_of(options.sort);
  const bool live = is_table(context) && can_draw(context) && !options.no_stream;
  if (!live && !options.follow) return print_once(context, **api, *request, order);

  v1::WatchUsageRequest watch;
  watch.set_stack(request->stack());
  watch.set_service(request->service());
  watch.set_interval_ms(*interval);
  auto show = std::make_shared<Show>(context, *api, std::move(watch), order);
  const bool tables = is_table(context) || context.options().output.format == OutputFormat::kName;
  const auto ended = context.run(live ? show_live(show) : tables ? show_below(show) : read_on(show));
  return ended ? int{kExitOk} : context.fail(ended.error());
}

}  // namespace orchion::cli
