#include <algorithm>
#include <iostream>
#include <tuple>

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/list.h"
#include "cli/stack_part.h"
#include "client/resuming_watch.h"
#include "core/events.h"
#include "core/timestamps.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

std::vector<std::string> event_cells(const v1::Event& event) {
  const auto subject = event.meta().stack().empty() ? event.subject() : event.meta().stack() + "/" + event.subject();
  auto time = event.time();
  time.set_nanos(0);
  return {google::protobuf::util::TimeUtil::ToString(time), event.reason(), subject, event.message()};
}

base::Result<> print_in_order(const Context& context, const std::vector<v1::WatchEvent>& batch,
                              const v1::ListEventsRequest& wanted) {
  std::vector<const v1::Event*> events;
  for (const auto& change : batch)
    if (change.type() == v1::WatchEvent::PUT && change.has_event() && core::is_wanted(change.event(), wanted))
      events.push_back(&change.event());
  std::ranges::sort(events, {}, [](const v1::Event* event) {
    return std::tuple(event->time().seconds(), event->time().nanos(), event->meta().name());
  });
  const auto format = context.options().output.format;
  const bool for_people = format == OutputFormat::kTable || format == OutputFormat::kWide;
  for (const auto* event : events) {
    if (!for_people) {
      RETURN_IF_ERROR(print_streamed(context, json_of(*event)));
      continue;
    }
    auto cells = event_cells(*event);
    if (format == OutputFormat::kWide) cells.push_back(event->node());
    std::cout << fmt::format("{}\n", fmt::join(cells, "  "));
  }
  std::cout << std::flush;
  return {};
}

// What happened, then what happens, each once, whatever becomes of the connection.
base::Co<> print_events(std::shared_ptr<client::ApiClient> api, Context* context, v1::ListEventsRequest wanted) {
  v1::WatchRequest request;
  request.add_kinds("Event");
  request.set_stack(wanted.stack());
  client::WatchOptions options;
  options.say = [](const std::string& line) { std::cerr << "orchion: " << line << "\n"; };
  client::ResumingWatch watch(api, context->clock(), std::move(request), std::move(options));
  while (true) {
    CO_ASSIGN_OR_RETURN(const auto batch, co_await watch.next());
    CO_RETURN_IF_ERROR(print_in_order(*context, batch, wanted));
  }
}

base::Result<v1::ListEventsRequest> request_of(Context& context, client::ApiClient& api, const EventsOptions& options) {
  v1::ListEventsRequest request;
  request.set_stack(context.options().stack);
  request.set_node(options.node);
  request.set_reason(options.reason);
  if (!options.since.empty()) {
    ASSIGN_OR_RETURN(const auto since, parse_moment(options.since, context.clock().wall()));
    *request.mutable_since() = core::to_timestamp(since);
  }
  if (options.what.empty()) return request;
  ASSIGN_OR_RETURN(const auto address, find_part(context, api, options.what));
  request.set_stack(address.stack);
  if (!address.service.empty()) request.set_subject(task_reference(address));
  return request;
}

}  // namespace

int run_events(Context& context, const EventsOptions& options) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto wanted = request_of(context, **api, options);
  if (!wanted) return context.refuse(wanted.error());
  if (options.follow) {
    auto printed = context.run(print_events(*api, &context, *wanted));
    return printed ? kExitOk : context.fail(printed.error());
  }
  return list_command<v1::ListEventsResponse>(
      context, "orchion.v1.EventService.ListEvents", *wanted, {"TIME", "REASON", "SUBJECT", "MESSAGE"}, {"NODE"},
      [](const v1::ListEventsResponse& response) {
        std::vector<Row> rows;
        for (const auto& event : response.events())
          rows.push_back({event.meta().name(), event_cells(event), {event.node()}});
        return rows;
      });
}

}  // namespace orchion::cli
