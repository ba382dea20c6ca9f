#include <iostream>

#include "base/timeout.h"
#include "cli/completion.h"
#include "cli/context.h"
#include "client/contexts.h"
#include "core/image_reference.h"
#include "core/jobs.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

// Whoever pressed the key waits for this, and reads no more than so many names.
constexpr auto kPatience = std::chrono::milliseconds(200);
constexpr std::size_t kNamesMax = 1000;

using Api = std::shared_ptr<client::ApiClient>;

// The names that go on from what was typed; those that came in time.
class Names {
 public:
  explicit Names(std::string typed) : typed_(std::move(typed)) {}

  void add(std::string name) {
    if (!is_full() && name.starts_with(typed_)) all_.push_back(std::move(name));
  }
  bool is_full() const { return all_.size() == kNamesMax; }
  const std::vector<std::string>& all() const { return all_; }

 private:
  std::string typed_;
  std::vector<std::string> all_;
};

// Hands every page to `take`, until the last one or until there are names enough.
template <class Response, class Request, class Take>
base::Co<> read_pages(Api api, std::string method, Request request, std::shared_ptr<Names> names, Take take) {
  while (!names->is_full()) {
    CO_ASSIGN_OR_RETURN(const auto page, co_await api->call<Response>("orchion.v1." + method, request));
    take(page);
    if (page.next_page_token().empty()) break;
    request.set_page_token(page.next_page_token());
  }
  co_return base::Result<>{};
}

struct StackParts {
  bool stacks = false;
  bool services = false;
};

base::Co<> stack_names(Api api, std::shared_ptr<Names> names, StackParts wanted, std::string stack) {
  auto take = [names, wanted, stack](const v1::ListStacksResponse& page) {
    for (const auto& found : page.stacks()) {
      const auto& name = found.meta().name();
      if (wanted.stacks) names->add(name);
      if (!wanted.services || (!stack.empty() && name != stack)) continue;
      for (const auto& service : found.spec().services())
        names->add(stack.empty() ? name + "/" + service.name() : service.name());
    }
  };
  return read_pages<v1::ListStacksResponse>(api, "StackService.ListStacks", v1::ListStacksRequest(), names, take);
}

base::Co<> job_names(Api api, std::shared_ptr<Names> names, std::string stack) {
  v1::ListJobsRequest request;
  request.set_stack(stack);
  auto take = [names, stack](const v1::ListJobsResponse& page) {
    for (const auto& job : page.jobs())
      names->add(stack.empty() ? job.meta().stack() + "/" + job.meta().name() : job.meta().name());
  };
  return read_pages<v1::ListJobsResponse>(api, "JobService.ListJobs", request, names, take);
}

// A job's name stands for its newest run.
base::Co<> run_names(Api api, std::shared_ptr<Names> names, std::string stack) {
  CO_RETURN_IF_ERROR(co_await job_names(api, names, stack));
  v1::ListRunsRequest request;
  request.set_stack(stack);
  auto take = [names, stack](const v1::ListRunsResponse& page) {
    for (const auto& run : page.runs())
      names->add(stack.empty() ? run.meta().stack() + "/" + run.meta().name() : run.meta().name());
  };
  co_return co_await read_pages<v1::ListRunsResponse>(api, "JobService.ListRuns", request, names, take);
}

base::Co<> task_names(Api api, std::shared_ptr<Names> names, std::string stack) {
  v1::ListTasksRequest request;
  request.set_stack(stack);
  auto take = [names, stack](const v1::ListTasksResponse& page) {
    for (const auto& task : page.tasks()) {
      const auto name = core::short_name(task.spec());
      names->add(stack.empty() ? task.meta().stack() + "/" + name : name);
    }
  };
  return read_pages<v1::ListTasksResponse>(api, "TaskService.ListTasks", request, names, take);
}

base::Co<> node_names(Api api, std::shared_ptr<Names> names) {
  auto take = [names](const v1::ListNodesResponse& page) {
    for (const auto& node : page.nodes()) names->add(node.meta().name());
  };
  return read_pages<v1::ListNodesResponse>(api, "NodeService.ListNodes", v1::ListNodesRequest(), names, take);
}

base::Co<> image_names(Api api, std::shared_ptr<Names> names) {
  auto take = [names](const v1::ListImagesResponse& page) {
    for (const auto& image : page.images()) names->add(core::familiar_image(image.meta().name()));
  };
  return read_pages<v1::ListImagesResponse>(api, "ImageService.ListImages", v1::ListImagesRequest(), names, take);
}

base::Co<> network_names(Api api, std::shared_ptr<Names> names, std::string stack) {
  v1::ListNetworksRequest request;
  request.set_stack(stack);
  auto take = [names, stack](const v1::ListNetworksResponse& page) {
    for (const auto& network : page.networks())
      names->add(stack.empty() ? network.meta().stack() + "/" + network.meta().name() : network.meta().name());
  };
  return read_pages<v1::ListNetworksResponse>(api, "ResourceService.ListNetworks", request, names, take);
}

base::Co<> address_names(Api api, std::shared_ptr<Names> names, std::string stack) {
  const StackParts wanted{.stacks = stack.empty(), .services = true};
  CO_RETURN_IF_ERROR(co_await stack_names(api, names, wanted, stack));
  co_return co_await task_names(api, names, stack);
}

base::Co<> live_names(Api api, std::shared_ptr<Names> names, LiveNames kind, std::string stack) {
  switch (kind) {
    case LiveNames::kStacks: return stack_names(api, names, {.stacks = true}, "");
    case LiveNames::kServices: return stack_names(api, names, {.services = true}, stack);
    case LiveNames::kJobs: return job_names(api, names, stack);
    case LiveNames::kRuns: return run_names(api, names, stack);
    case LiveNames::kNodes: return node_names(api, names);
    case LiveNames::kImages: return image_names(api, names);
    case LiveNames::kNetworks: return network_names(api, names, stack);
    default: return address_names(api, names, stack);
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
  auto names = std::make_shared<Names>(completion.typed);
  // What came in time is offered, even where the rest did not.
  (void)context.run(base::with_timeout(context.clock(), kPatience, "asking for names",
                                       live_names(*api, names, completion.live, context.options().stack)));
  for (const auto& name : names->all()) print_if_typed(completion, name);
  return kExitOk;
}

}  // namespace orchion::cli
