#include "cli/task_output.h"

#include <iostream>

namespace orchion::cli {

base::Co<> print_output(std::shared_ptr<client::ApiClient> api, std::shared_ptr<const v1::LogsRequest> request,
                        std::function<std::string(const v1::LogLine&)> lead) {
  CO_ASSIGN_OR_RETURN(auto events, co_await api->open_events("orchion.v1.TaskService.Logs", request, ""));
  while (true) {
    CO_ASSIGN_OR_RETURN(auto event, co_await events->next());
    if (!event) co_return base::Result<>{};
    v1::LogLine line;
    CO_RETURN_IF_ERROR(client::parse_json(event->data, line));
    if (!line.notice().empty()) std::cerr << "orchion: " << line.notice() << "\n";
    auto& out = line.stream() == v1::LogLine::STDERR ? std::cerr : std::cout;
    if (line.notice().empty()) out << (lead ? lead(line) : "") << line.line() << "\n" << std::flush;
  }
}

}  // namespace orchion::cli
