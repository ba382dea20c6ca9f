#include <iostream>

#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/duration.h"
#include "cli/follow.h"

namespace orchion::cli {

namespace {

base::Co<> remove_stack(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string stack, bool volumes,
                        base::Duration limit, std::shared_ptr<LiveLines> live) {
  v1::DeleteStackRequest request;
  request.set_name(stack);
  request.set_volumes(volumes);
  CO_ASSIGN_OR_RETURN(auto marked, co_await api->call<v1::Stack>("orchion.v1.StackService.DeleteStack", request));
  if (!live) co_return co_await follow_removal(api, clock, stack, limit);
  // A server may answer without it.
  marked.mutable_meta()->set_name(stack);
  co_return co_await follow_removal_live(api, clock, std::move(marked), limit, live);
}

base::Co<std::vector<std::string>> stack_names(std::shared_ptr<client::ApiClient> api) {
  std::vector<std::string> names;
  v1::ListStacksRequest request;
  while (true) {
    CO_ASSIGN_OR_RETURN(auto page,
                        co_await api->call<v1::ListStacksResponse>("orchion.v1.StackService.ListStacks", request));
    for (const auto& stack : page.stacks()) names.push_back(stack.meta().name());
    if (page.next_page_token().empty()) co_return names;
    request.set_page_token(page.next_page_token());
  }
}

// All at the same time on the server; waited for one after the other.
base::Co<std::size_t> remove_all(std::shared_ptr<client::ApiClient> api, base::Clock* clock, base::Duration limit) {
  CO_ASSIGN_OR_RETURN(const auto names, co_await stack_names(api));
  for (const auto& name : names) {
    v1::DeleteStackRequest request;
    request.set_name(name);
    auto removed = co_await api->call<v1::Stack>("orchion.v1.StackService.DeleteStack", request);
    if (!removed && removed.error().code != base::Code::kNotFound) co_return std::unexpected(removed.error());
  }
  for (const auto& name : names) CO_RETURN_IF_ERROR(co_await follow_removal(api, clock, name, limit));
  co_return names.size();
}

}  // namespace

int run_down(Context& context, const DownOptions& options) {
  auto limit = parse_duration(options.timeout);
  if (!limit) return context.refuse(limit.error());
  auto stack = find_stack(context, options.files);
  if (!stack) return context.refuse(stack.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  if (options.volumes && !context.confirm(fmt::format("remove stack {} and the data of its volumes?", *stack)))
    return kExitInterrupted;
  auto removed =
      context.run(remove_stack(*api, &context.clock(), *stack, options.volumes, *limit, live_lines(context)));
  if (!removed) return context.fail(removed.error());
  context.tell(fmt::format("{} is gone{}", *stack, options.volumes ? ", its volumes too" : ""));
  return kExitOk;
}

int run_stop_all(Context& context, const std::string& timeout) {
  auto limit = parse_duration(timeout);
  if (!limit) return context.refuse(limit.error());
  auto api = context.api();
  if (!api) return context.fail(api.error());
  if (!context.confirm("stop every stack that orchion started?")) return kExitInterrupted;
  auto count = context.run(remove_all(*api, &context.clock(), *limit));
  if (!count) return context.fail(count.error());
  context.tell(fmt::format("{} stack{} stopped; volumes were kept", *count, *count == 1 ? "" : "s"));
  return kExitOk;
}

}  // namespace orchion::cli
