#include <algorithm>
#include <iostream>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/plan_text.h"
#include "cli/port_check.h"
#include "cli/route.h"
#include "spec/render.h"

namespace orchion::cli {

namespace {

constexpr auto kListenLimit = std::chrono::seconds(5);

base::Result<v1::ApplyStackResponse> apply(Context& context, client::ApiClient& api, v1::ApplyStackRequest request) {
  return context.run(api.call<v1::ApplyStackResponse>("orchion.v1.StackService.ApplyStack", std::move(request)));
}

void print_url(const std::string& url) {
  std::cout << url << '\n' << std::flush;
}

// The URLs of its routes, and what is in the way of them.
void print_routes(Context& context, const v1::Stack& stack) {
  const auto& services = stack.spec().services();
  if (std::ranges::all_of(services, [](const auto& service) { return service.spec().routes().empty(); })) return;
  const auto routes = read_routes(context, stack.meta().name());
  if (!routes) return context.say("orchion: " + routes.error().message);
  for (const auto& view : *routes) {
    std::ranges::for_each(view.addresses(), print_url);
    if (!view.message().empty())
      context.say(fmt::format("no request reaches {}/{} yet: {}", view.stack(), view.service(), view.message()));
  }
}

void print_what_now(Context& context, const v1::Stack& stack, const StackProgress& progress) {
  std::ranges::for_each(progress.urls(), print_url);
  print_routes(context, stack);
  context.tell(fmt::format("next: orchion ps --stack {0} · orchion logs -f --stack {0} · orchion down --stack {0}",
                           stack.meta().name()));
}

// So that the URL which is printed answers. Only on the machine that the ports are published on.
void wait_for_listeners(Context& context, const client::Connection& connection, const StackProgress& progress) {
  if (connection.endpoint.transport != wire::Transport::kUnix) return;
  for (const auto& [port, tasks] : progress.local_ports()) {
    if (!takes_connections(port, tasks, kListenLimit))
      context.say(fmt::format("nobody listens behind port {} yet: see `orchion logs`", port));
  }
}

int wait_until_it_stands(Context& context, std::shared_ptr<client::ApiClient> api, const v1::Stack& stack, Goal goal,
                         base::Duration limit) {
  auto progress = std::make_shared<StackProgress>(stack, goal);
  const auto& name = stack.meta().name();
  const auto live = live_lines(context);
  auto done = context.run(follow_stack(api, &context.clock(), name, progress, limit, live));
  if (done && *done) {
    wait_for_listeners(context, api->connection(), *progress);
    // The lines that were drawn say this.
    if (!live) context.tell(fmt::format("{}: {}", name, progress->summary()));
    print_what_now(context, stack, *progress);
    return kExitOk;
  }
  const auto obstacles = progress->obstacles();
  for (const auto& obstacle : obstacles) context.say(fmt::format("orchion: {}/{}", name, obstacle));
  if (done) {
    context.say(fmt::format(
        "the rest of {0} goes on; mend this and run `orchion up` again, or `orchion down --stack {0}`", name));
    return kExitFailed;
  }
  return context.fail(done.error());
}

// Templates are for each change.
int print_plan(Context& context, const std::string& stack, const v1::Plan& plan) {
  if (wants_object(context)) return print_list(context, json_of(plan), "changes");
  const bool names = context.options().output.format == OutputFormat::kName;
  std::cout << (names ? plan_names(stack, plan) : plan_text(stack, plan));
  return kExitOk;
}

}  // namespace

int run_up(Context& context, const UpOptions& options) {
  auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  auto loaded = load_stack(context, options.files);
  if (!loaded) return context.fail(loaded.error());
  auto api = context.api_or_start();
  if (!api) return context.fail(api.error());

  if (auto settled = settle_builds(context, **api, *loaded, options.build, options.builder); !settled)
    return context.fail(settled.error());

  v1::ApplyStackRequest request;
  request.set_name(loaded->name);
  *request.mutable_spec() = std::move(loaded->spec);
  request.set_dry_run(true);
  auto planned = apply(context, **api, request);
  if (!planned) return context.fail(planned.error());
  if (context.options().progress != ProgressMode::kQuiet) std::cerr << plan_text(loaded->name, planned->plan());
  if (is_disruptive(planned->plan()) && !context.confirm("go on?")) return kExitInterrupted;

  // Only what was shown is done: if somebody else was quicker, the server refuses.
  request.set_dry_run(false);
  request.set_base_revision(planned->plan().base_revision());
  auto applied = apply(context, **api, request);
  if (!applied) return context.fail(applied.error());
  if (options.detach) return kExitOk;
  return wait_until_it_stands(context, *api, applied->stack(), options.healthy ? Goal::kHealthy : Goal::kRunning,
                              *limit);
}

int run_plan(Context& context, const PlanOptions& options) {
  auto loaded = load_stack(context, options.files);
  if (!loaded) return context.fail(loaded.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  if (auto settled = settle_builds(context, **api, *loaded, BuildMode::kLook, {}); !settled)
    return context.fail(settled.error());
  v1::ApplyStackRequest request;
  request.set_name(loaded->name);
  *request.mutable_spec() = std::move(loaded->spec);
  request.set_dry_run(true);
  auto planned = apply(context, **api, std::move(request));
  if (!planned) return context.fail(planned.error());
  if (const int printed = print_plan(context, loaded->name, planned->plan()); printed != kExitOk) return printed;
  return options.exit_code && has_changes(planned->plan()) ? kExitChanges : kExitOk;
}

int run_config(Context& context, const FileOptions& options) {
  auto loaded = load_stack(context, options);
  if (!loaded) return context.fail(loaded.error());
  std::cout << spec::render(loaded->name, loaded->spec, loaded->builds);
  return kExitOk;
}

}  // namespace orchion::cli
