// One container, as `docker run` and `docker compose run` have it: a service of its own, made from an image or from a
// service of the file that lies here.

#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "base/random.h"
#include "base/timeout.h"
#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/poll.h"
#include "cli/pull_rows.h"
#include "cli/session.h"
#include "cli/stack_part.h"
#include "cli/task_output.h"
#include "core/image_reference.h"
#include "core/task_state.h"
#include "spec/port_syntax.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr const char* kGetTask = "orchion.v1.TaskService.GetTask";

base::Result<> set_restart(const std::string& text, v1::RestartPolicy& policy) {
  static const std::map<std::string, v1::RestartPolicy::Condition> conditions = {
      {"no", v1::RestartPolicy::NO},
      {"on-failure", v1::RestartPolicy::ON_FAILURE},
      {"always", v1::RestartPolicy::ALWAYS},
      {"unless-stopped", v1::RestartPolicy::UNLESS_STOPPED}};
  const auto found = conditions.find(text);
  if (found == conditions.end())
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--restart {}: it is no, on-failure, always or unless-stopped", text));
  policy.set_condition(found->second);
  return {};
}

// What the words and flags say, over what the image or the file's service says.
base::Result<> apply_options(const RunOptions& options, v1::CreateServiceRequest& request) {
  auto& spec = *request.mutable_spec();
  auto& container = *spec.mutable_container();
  RETURN_IF_ERROR(apply_container_options(options, container));
  if (options.interactive) container.set_stdin_open(true);
  if (options.tty) container.set_tty(true);
  for (const auto& text : options.ports) {
    ASSIGN_OR_RETURN(const auto ports, spec::parse_ports(text));
    for (const auto& port : ports) *container.add_ports() = port;
  }
  spec.set_replicas(1);
  // In front of somebody it runs once; in the background it is kept up.
  if (!options.detach) spec.mutable_restart()->set_condition(v1::RestartPolicy::NO);
  if (!options.restart.empty()) RETURN_IF_ERROR(set_restart(options.restart, *spec.mutable_restart()));
  return {};
}

// The file's service, alone: its ports are taken by the one that runs.
void take_service(const v1::NamedService& service, v1::ServiceSpec& spec) {
  spec = service.spec();
  spec.mutable_container()->clear_ports();
  spec.clear_restart();
}

std::string suffix() {
  auto random = base::Random::from_system();
  return fmt::format("{:04x}", random.below(0x10000));
}

// A word that the file here has as a service is that service; any other is an image. `builds` is given how that
// service's image is made, where the file says it.
base::Result<v1::CreateServiceRequest> make_request(Context& context, const RunOptions& options,
                                                    std::vector<spec::BuildSpec>& builds) {
  v1::CreateServiceRequest request;
  const auto& what = options.what;
  std::string base_name = short_image_name(what);
  const auto here = find_stack(context);
  request.set_stack(here ? *here : kDefaultStack);
  request.mutable_spec()->mutable_container()->set_image(what);
  if (here && context.options().stack.empty()) {
    ASSIGN_OR_RETURN(const auto loaded, load_stack(context, {}));
    for (const auto& service : loaded.spec.services()) {
      if (service.name() != what) continue;
      take_service(service, *request.mutable_spec());
      base_name = what + "-run";
      std::ranges::copy_if(loaded.builds, std::back_inserter(builds),
                           [&](const spec::BuildSpec& build) { return build.service == what; });
    }
  }
  request.set_name(options.name.empty() ? fmt::format("{}-{}", base_name, suffix()) : options.name);
  return request;
}

// Why a task doesn't get on, as far as anybody knows; empty while nothing is in its way.
std::string obstacle_of(const v1::Task& task) {
  return task.spec().assignment().node().empty() ? task.spec().placement_message() : task.status().message();
}

// One that is waited for in front of somebody.
struct InFront {
  std::shared_ptr<client::ApiClient> api;
  base::Clock* clock;
  v1::GetTaskRequest wanted;
  std::string image;
  base::Duration start_limit;
  std::shared_ptr<LiveLines> live;  // nullptr: nothing is drawn
};

using TaskVerdict = std::optional<base::Result<v1::Task>>;

// The task once it runs or has ended; why not, where that stands for some seconds.
base::Co<v1::Task> poll_start(std::shared_ptr<client::ApiClient> api, base::Clock* clock, v1::GetTaskRequest wanted) {
  auto look = [clock, name = wanted.name(), obstacle = std::string(),
               since = clock->now()](const base::Result<v1::Task>& task) mutable -> TaskVerdict {
    if (!task) return std::nullopt;
    const auto state = task->status().state();
    if (core::is_terminal(state) || state == v1::RUNNING) return task;
    auto now = obstacle_of(*task);
    if (now != obstacle) since = clock->now();
    obstacle = std::move(now);
    if (obstacle.empty() || clock->now() - since <= kObstacleGrace) return std::nullopt;
    return base::fail(base::Code::kFailedPrecondition, fmt::format("{}: {}", name, obstacle));
  };
  return poll_until<v1::Task>(std::move(api), clock, kGetTask, std::move(wanted), std::move(look));
}

base::Co<v1::Task> poll_end(std::shared_ptr<client::ApiClient> api, base::Clock* clock, v1::GetTaskRequest wanted) {
  auto look = [](const base::Result<v1::Task>& task) -> TaskVerdict {
    if (task && !core::is_terminal(task->status().state())) return std::nullopt;
    return task;
  };
  return poll_until<v1::Task>(std::move(api), clock, kGetTask, std::move(wanted), look);
}

// A row while the image is pulled, which goes when the container has begun.
base::Co<v1::Task> start_and_show(InFront front) {
  if (!front.live) co_return co_await poll_start(front.api, front.clock, front.wanted);
  auto pulls = std::make_shared<PullRows>();
  OnPull take = [pulls, clock = front.clock](const v1::PullProgress& pull) { pulls->put(pull, clock->now()); };
  ProgressRows rows = [pulls, image = front.image](base::Duration) {
    const auto text = pulls->text(image, "");
    if (text.empty()) return std::vector<ProgressRow>();
    return std::vector<ProgressRow>{{ProgressRow::Mark::kWorking, image, text}};
  };
  using boost::asio::experimental::awaitable_operators::operator||;
  auto ended = co_await (poll_start(front.api, front.clock, front.wanted) || read_pulls(front.api, front.clock, take) ||
                         keep_drawn(front.clock, front.live, rows));
  front.live->show({});
  if (ended.index() == 0) co_return std::get<0>(std::move(ended));
  co_return std::unexpected(ended.index() == 1 ? std::get<1>(ended).error() : std::get<2>(ended).error());
}

base::Co<v1::Task> await_start(InFront front) {
  return base::with_timeout(*front.clock, front.start_limit, "starting " + front.wanted.name(), start_and_show(front));
}

// Prints what it prints until it ends; its exit code.
base::Co<int> attend(InFront front) {
  const auto& wanted = front.wanted;
  CO_ASSIGN_OR_RETURN(auto task, co_await await_start(front));
  auto logs = std::make_shared<v1::LogsRequest>();
  logs->set_stack(wanted.stack());
  logs->set_service(task.spec().service());
  logs->set_follow(true);
  // A container that never began has no output, and says so by its message.
  if (task.status().has_started_at()) CO_RETURN_IF_ERROR(co_await print_output(front.api, logs));
  CO_ASSIGN_OR_RETURN(task, co_await poll_end(front.api, front.clock, wanted));
  if (!task.status().has_exit_code())
    co_return base::fail(base::Code::kInternal,
                         fmt::format("{} did not run: {}", wanted.name(), task.status().message()));
  co_return static_cast<int>(task.status().exit_code());
}

// Returns when nothing of it is left, and the stack is one that may be used: the last of its services takes it along.
base::Co<> await_removal(std::shared_ptr<client::ApiClient> api, base::Clock* clock, v1::GetServiceRequest wanted) {
  v1::GetStackRequest stack;
  stack.set_name(wanted.stack());
  CO_RETURN_IF_ERROR(
      co_await poll_until_gone<v1::Service>(api, clock, "orchion.v1.ServiceService.GetService", std::move(wanted)));
  auto is_settled = [](const base::Result<v1::Stack>& found) -> std::optional<base::Result<v1::Stack>> {
    if (found && found->meta().has_deleted_at()) return std::nullopt;
    return v1::Stack();
  };
  CO_RETURN_IF_ERROR(
      co_await poll_until<v1::Stack>(api, clock, "orchion.v1.StackService.GetStack", std::move(stack), is_settled));
  co_return base::Result<>{};
}

base::Result<> remove_service(Context& context, std::shared_ptr<client::ApiClient> api,
                              const v1::CreateServiceRequest& made, base::Duration limit) {
  v1::DeleteServiceRequest request;
  request.set_stack(made.stack());
  request.set_name(made.name());
  RETURN_IF_ERROR(context.run(api->call<v1::Service>("orchion.v1.ServiceService.DeleteService", std::move(request))));
  v1::GetServiceRequest wanted;
  wanted.set_stack(made.stack());
  wanted.set_name(made.name());
  auto gone = await_removal(std::move(api), &context.clock(), std::move(wanted));
  return context.run(base::with_timeout(context.clock(), limit, "removing " + made.name(), std::move(gone)));
}

// The exit code; nullopt where it was left while it runs.
using FrontEnd = base::Result<std::optional<int>>;

FrontEnd stand_by(Context& context, const InFront& front) {
  auto code = context.run(attend(front));
  if (!code) return std::unexpected(code.error());
  return std::optional<int>(*code);
}

// With this terminal, or these pipes, as its own. What it writes before is kept for us.
FrontEnd sit_down(Context& context, const InFront& front, const RunOptions& options) {
  const auto& wanted = front.wanted;
  ASSIGN_OR_RETURN(auto keys, DetachKeys::parse(options.detach_keys));
  ASSIGN_OR_RETURN(const auto task, context.run(await_start(front)));
  if (!task.status().has_started_at())
    return base::fail(base::Code::kInternal, fmt::format("{} did not run: {}", wanted.name(), task.status().message()));
  return attach_to(context, front.api,
                   {.stack = wanted.stack(),
                    .task = wanted.name(),
                    .input = options.interactive,
                    .tty = options.tty,
                    .keys = std::move(keys)});
}

int run_in_front(Context& context, std::shared_ptr<client::ApiClient> api, const v1::CreateServiceRequest& made,
                 const RunOptions& options, base::Duration limit) {
  v1::GetTaskRequest wanted;
  wanted.set_stack(made.stack());
  wanted.set_name(core::slot_name(made.name(), 1));
  const bool sat_down = options.interactive || options.tty;
  const InFront front{api, &context.clock(), wanted, made.spec().container().image(), limit, live_lines(context)};
  const auto code = sat_down ? sit_down(context, front, options) : stand_by(context, front);
  const bool left = code && !*code;
  if (!options.keep && !left) {
    if (auto removed = remove_service(context, api, made, limit); !removed) return context.fail(removed.error());
  }
  return code ? code->value_or(kExitOk) : context.fail(code.error());
}

int run_behind(Context& context, std::shared_ptr<client::ApiClient> api, const v1::CreateServiceRequest& made,
               base::Duration limit) {
  auto parts = find_stack_parts(context, *api, {made.stack() + "/" + made.name()});
  if (!parts) return context.fail(parts.error());
  std::cout << made.stack() << "/" << made.name() << "\n";
  auto progress = std::make_shared<StackProgress>(parts->front());
  const auto done =
      context.run(follow_stack(api, &context.clock(), made.stack(), progress, limit, live_lines(context)));
  for (const auto& obstacle : progress->obstacles()) context.say(fmt::format("orchion: {}", obstacle));
  if (!done) return context.fail(done.error());
  if (*done) {
    for (const auto& url : progress->urls()) context.say(url);
  }
  context.tell(fmt::format("next: orchion logs -f {0}/{1} · orchion rm {0}/{1}", made.stack(), made.name()));
  return *done ? kExitOk : kExitFailed;
}

}  // namespace

int run_run(Context& context, const RunOptions& options) {
  auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  if (options.interactive && options.tty && !options.detach) {
    if (auto checked = check_terminal(); !checked) return context.refuse(checked.error());
  }
  std::vector<spec::BuildSpec> builds;
  auto request = make_request(context, options, builds);
  if (!request) return context.fail(request.error());
  if (auto applied = apply_options(options, *request); !applied) return context.refuse(applied.error());
  auto api = context.api_or_start();
  if (!api) return context.fail(api.error());
  for (const auto& build : builds) {
    auto& container = *request->mutable_spec()->mutable_container();
    if (auto settled = settle_build(context, **api, build, BuildMode::kMissing, {}, container); !settled)
      return context.fail(settled.error());
  }
  auto made = context.run((*api)->call<v1::Service>("orchion.v1.ServiceService.CreateService", *request));
  if (!made) return context.fail(made.error());
  return options.detach ? run_behind(context, *api, *request, *limit)
                        : run_in_front(context, *api, *request, options, *limit);
}

}  // namespace orchion::cli
