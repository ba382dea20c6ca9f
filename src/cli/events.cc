#include <iostream>

#include <fmt/core.h>
#include <google/protobuf/util/time_util.h>

#include "cli/commands.h"
#include "cli/list.h"
#include "v1/control.pb.h"
#include "v1/watch.pb.h"

namespace orchion::cli {

namespace {

std::vector<std::string> event_cells(const v1::Event& event) {
  const auto subject = event.meta().stack().empty() ? event.subject() : event.meta().stack() + "/" + event.subject();
  auto time = event.time();
  time.set_nanos(0);
  return {google::protobuf::util::TimeUtil::ToString(time), event.reason(), subject, event.message()};
}

// New events as they come. A stream that breaks goes on after the last one seen.
base::Co<> print_new_events(std::shared_ptr<client::ApiClient> api, std::string stack) {
  auto request = std::make_shared<v1::WatchRequest>();
  request->add_kinds("Event");
  request->set_stack(stack);
  CO_ASSIGN_OR_RETURN(auto events, co_await api->open_events("orchion.v1.WatchService.Watch", request, ""));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto received, co_await events->next());
    if (!received) co_return base::fail(base::Code::kUnavailable, "the server ended the connection");
    v1::WatchEvent message;
    CO_RETURN_IF_ERROR(client::parse_json(received->data, message));
    if (message.type() != v1::WatchEvent::PUT || !message.has_event()) continue;
    const auto cells = event_cells(message.event());
    std::cout << fmt::format("{}  {}  {}  {}\n", cells[0], cells[1], cells[2], cells[3]) << std::flush;
  }
}

}  // namespace

int run_events(Context& context, bool follow) {
  if (follow) {
    auto api = context.api();
    if (!api) return context.fail(api.error());
    auto printed = context.run(print_new_events(*api, context.options().stack));
    return printed ? kExitOk : context.fail(printed.error());
  }
  v1::ListEventsRequest request;
  request.set_stack(context.options().stack);
  return list_command<v1::ListEventsResponse>(
      context, "orchion.v1.EventService.ListEvents", request, {"TIME", "REASON", "SUBJECT", "MESSAGE"}, {"NODE"},
      [](const v1::ListEventsResponse& response) {
        std::vector<Row> rows;
        for (const auto& event : response.events())
          rows.push_back({event.meta().name(), event_cells(event), {event.node()}});
        return rows;
      });
}

}  // namespace orchion::cli
