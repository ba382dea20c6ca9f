#include <iostream>

#include "base/timeout.h"
#include "cli/completion.h"
#include "cli/context.h"
#include "client/contexts.h"
#include "core/image_reference.h"
#include "core/naming.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Whoever pressed the key waits for this.
constexpr auto kPatience = std::chrono::milliseconds(300);

using Api = std::shared_ptr<client::ApiClient>;
using Names = std::vector<std::string>;

base::Co<Names> stack_names(Api api, bool services, std::string stack) {
  CO_ASSIGN_OR_RETURN(const auto page, co_await api->call<v1::ListStacksResponse>("orchion.v1.StackService.ListStacks",
                                                                                  v1::ListStacksRequest()));
  Names names;
  for (const auto& found : page.stacks()) {
    const auto& name = found.meta().name();
    if (!services) names.push_back(name);
    if (!services || (!stack.empty() && name != stack)) continue;
    for (const auto& service : found.spec().services())
      names.push_back(stack.empty() ? name + "/" + service.name() : service.name());
  }
  co_return names;
}

base::Co<Names> task_names(Api api, std::string stack) {
  v1::ListTasksRequest request;
  request.set_stack(stack);
  CO_ASSIGN_OR_RETURN(const auto page,
                      co_await api->call<v1::ListTasksResponse>("orchion.v1.TaskService.ListTasks", request));
  Names names;
  for (const auto& task : page.tasks()) {
    const auto name = core::slot_name(task.spec().service(), task.spec().slot());
    names.push_back(stack.empty() ? task.meta().stack() + "/" + name : name);
  }
  co_return names;
}

base::Co<Names> node_names(Api api) {
  CO_ASSIGN_OR_RETURN(const auto page, co_await api->call<v1::ListNodesResponse>("orchion.v1.NodeService.ListNodes",
                                                                                 v1::ListNodesRequest()));
  Names names;
  for (const auto& node : page.nodes()) names.push_back(node.meta().name());
  co_return names;
}

base::Co<Names> image_names(Api api) {
  CO_ASSIGN_OR_RETURN(const auto page, co_await api->call<v1::ListImagesResponse>("orchion.v1.ImageService.ListImages",
                                                                                  v1::ListImagesRequest()));
  Names names;
  for (const auto& image : page.images()) names.push_back(core::familiar_image(image.meta().name()));
  co_return names;
}

base::Co<Names> address_names(Api api, std::string stack) {
  Names names;
  if (stack.empty()) {
    CO_ASSIGN_OR_RETURN(names, co_await stack_names(api, false, ""));
  }
  CO_ASSIGN_OR_RETURN(const auto services, co_await stack_names(api, true, stack));
  CO_ASSIGN_OR_RETURN(const auto tasks, co_await task_names(api, stack));
  names.insert(names.end(), services.begin(), services.end());
  names.insert(names.end(), tasks.begin(), tasks.end());
  co_return names;
}

base::Co<Names> live_names(Api api, LiveNames kind, std::string stack) {
  switch (kind) {
    case LiveNames::kStacks: return stack_names(api, false, "");
    case LiveNames::kServices: return stack_names(api, true, stack);
    case LiveNames::kNodes: return node_names(api);
    case LiveNames::kImages: return image_names(api);
    default: return address_names(api, stack);
  }
}

void print_if_typed(const Completion& completion, const std::string& name) {
  if (name.starts_with(completion.typed)) std::cout << name << "\t\n";
}

GlobalOptions options_of(const Completion& completion) {
  GlobalOptions out;
  const auto take = [&](const char* name, auto& into) {
    if (const auto found = completion.options.find(name); found != completion.options.end()) into = found->second;
  };
  out.connection.contexts = client::contexts_file();
  take("server", out.connection.server);
  take("token-file", out.connection.token_file);
  take("data", out.connection.data);
  take("stack", out.stack);
  return out;
}

}  // namespace

int run_complete(const CLI::App& root, const std::vector<std::string>& words) {
  const auto completion = complete(root, words);
  for (const auto& candidate : completion.candidates) std::cout << candidate.word << '\t' << candidate.help << '\n';
  if (completion.live == LiveNames::kNone) return kExitOk;
  if (completion.live == LiveNames::kContexts) {
    const auto contexts = client::read_contexts(client::contexts_file());
    if (contexts)
      for (const auto& each : contexts->all) print_if_typed(completion, each.name);
    return kExitOk;
  }
  Context context(options_of(completion), nullptr);
  // Without a server there is nothing to offer, and nobody to tell.
  auto api = context.api();
  if (!api) return kExitOk;
  auto names = context.run(base::with_timeout(context.clock(), kPatience, "asking for names",
                                              live_names(*api, completion.live, context.options().stack)));
  if (!names) return kExitOk;
  for (const auto& name : *names) print_if_typed(completion, name);
  return kExitOk;
}

}  // namespace orchion::cli
