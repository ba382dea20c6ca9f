#include "cli/task_health.h"

#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/list.h"
#include "cli/output.h"
#include "core/timestamps.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr const char* kGetTaskHealth = "orchion.v1.TaskService.GetTaskHealth";

std::string_view name_of(v1::Probe::Purpose purpose) {
  switch (purpose) {
    case v1::Probe::READINESS: return "readiness";
    case v1::Probe::STARTUP: return "startup";
    default: return "liveness";
  }
}

std::string_view state_of(const v1::Probe& probe) {
  switch (probe.state()) {
    case v1::HEALTH_GOOD: return "good";
    case v1::HEALTH_BAD: return "fails";
    case v1::HEALTH_STARTING: return "starting";
    default: return "doesn't count";
  }
}

// How it asks: "http://:8080/healthz", "tcp 5432", "pg_isready -q".
std::string way_of(const v1::HealthCheck& check) {
  if (check.has_http())
    return fmt::format("{}://{}:{}{}", check.http().tls() ? "https" : "http", check.http().host(), check.http().port(),
                       check.http().path().empty() ? "/" : check.http().path());
  if (check.has_tcp()) return fmt::format("tcp {}", check.tcp().port());
  if (check.has_grpc())
    return fmt::format("grpc {}{}{}", check.grpc().port(), check.grpc().service().empty() ? "" : " ",
                       check.grpc().service());
  const auto& words = check.test().values();
  return words.empty() ? "" : fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " "));
}

std::string seconds_of(const google::protobuf::Duration& duration) {
  return fmt::format("{:g} s", std::chrono::duration<double>(core::from_duration(duration)).count());
}

std::string in_milliseconds(const google::protobuf::Duration& duration) {
  return fmt::format("{:.1f} ms", std::chrono::duration<double, std::milli>(core::from_duration(duration)).count());
}

void print_line(const std::string& line) {
  std::cout << line << "\n";
}

void print_probe(const v1::Probe& probe, base::WallTime now) {
  const auto& check = probe.check();
  print_line(fmt::format("{}: {}, {}", name_of(probe.purpose()), state_of(probe), way_of(check)));
  if (!check.origin().empty()) print_line(fmt::format("  chosen by  {}", check.origin()));
  print_line(
      fmt::format("  asked      every {}, for {} at most", seconds_of(check.interval()), seconds_of(check.timeout())));
  auto next = probe.next();
  if (probe.has_next_at()) {
    const auto wait =
        std::max<double>(0, std::chrono::duration<double>(core::from_timestamp(probe.next_at()) - now).count());
    next += fmt::format("; asked again in {:.1f} s", wait);
  }
  print_line(fmt::format("  next       {}", next));
  if (probe.results().empty()) return print_line("  last       not asked yet");
  std::vector<std::vector<std::string>> rows;
  for (auto it = probe.results().rbegin(); it != probe.results().rend(); ++it)
    rows.push_back({rows.empty() ? "  last     " : "           ", age_of(it->time(), now) + " ago",
                    it->success() ? "good" : "bad", in_milliseconds(it->duration()), one_line(it->output())});
  auto table = format_table(rows);
  if (!table.empty() && table.back() == '\n') table.pop_back();
  print_line(table);
}

}  // namespace

int show_task_health(Context& context, const core::Address& address) {
  v1::GetTaskHealthRequest request;
  request.set_stack(address.stack);
  request.set_name(core::slot_name(address.service, address.slot));
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto json =
      context.run((*api)->call_json(kGetTaskHealth, std::make_shared<const v1::GetTaskHealthRequest>(request)));
  if (!json) return context.fail(json.error());
  v1::TaskHealth health;
  if (auto parsed = client::parse_json(*json, health); !parsed) return context.fail(parsed.error());
  const bool fails =
      std::ranges::any_of(health.probes(), [](const v1::Probe& probe) { return probe.state() == v1::HEALTH_BAD; });
  if (wants_object(context)) {
    const int printed = print_object(context, *json);
    return printed == kExitOk && fails ? kExitFailed : printed;
  }
  if (health.probes().empty())
    print_line("nothing checks it: give the service a `healthcheck`, or `health` below `x-orchion`");
  for (const auto& probe : health.probes()) print_probe(probe, std::chrono::system_clock::now());
  return fails ? kExitFailed : kExitOk;
}

}  // namespace orchion::cli
