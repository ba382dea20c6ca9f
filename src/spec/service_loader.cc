#include "spec/service_loader.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "core/naming.h"
#include "core/timestamps.h"
#include "core/validation.h"
#include "spec/build_loader.h"
#include "spec/keys.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kReplicasMax = 10'000;

class ServiceLoader {
 public:
  ServiceLoader(const std::string& name, const Node& node, LoadContext& context)
      : name_(name), node_(node), context_(context), problems_(context.problems) {}

  LoadedService run() {
    check_keys(node_, kServiceKeys, problems_);
    load_image();
    load_process();
    load_environment(node_, container(), context_);
    load_labels();
    if (const auto* node = find("ports")) load_ports(*node, container(), context_);
    load_mounts(node_, container(), context_);
    load_files(node_, container(), context_);
    load_names(node_, container(), context_);
    load_networks(node_, container(), context_);
    load_isolation(node_, container(), context_);
    load_devices(node_, container(), context_);
    load_gpus(node_, container(), context_);
    if (const auto* node = find("healthcheck")) load_health_check(*node, container(), context_);
    if (const auto* node = find("logging")) load_logging(*node, container(), context_);
    load_dependencies();
    load_links();
    load_models();
    if (const auto* node = find("restart")) load_restart(*node, *spec_.mutable_restart(), context_);
    if (const auto* node = find("deploy")) load_deploy(*node, spec_, context_);
    load_resources(node_, container(), context_);
    load_orchion();
    load_routes(node_, spec_, context_);
    load_platform();
    load_replicas();
    load_container_name();
    load_build_section();
    return {std::move(spec_), std::move(links_)};
  }

 private:
  const Node* find(std::string_view key) const { return find_value(node_, key); }
  v1::ContainerSpec& container() { return *spec_.mutable_container(); }

  void load_image() {
    const auto* image = find("image");
    if (!image && is_program()) return;
    const bool built = find("build") != nullptr;
    if (!image && built) {
      container().set_image(built_image_name(context_.stack, name_));
      load_pull_policy();
      return;
    }
    if (!image) {
      // A misspelt `image` and a `provider` were complained about already.
      const bool said = std::ranges::any_of(node_.entries, [](const Node::Entry& entry) {
        return entry.key == "provider" ||
               (entry.key != "image" && !is_extension(entry.key) && nearest_key(entry.key, kServiceKeys) == "image");
      });
      if (!said) problems_.add(node_.at, fmt::format("the service `{}` has no `image`: name one", name_));
      return;
    }
    const auto text = read_text(*image, "image", problems_);
    if (text && text->empty())
      problems_.add(image->at, fmt::format("`image` of the service `{}` is empty: name one", name_));
    if (text) container().set_image(*text);
    load_pull_policy();
  }

  void load_build_section() {
    const auto* node = find("build");
    if (!node || is_program()) return;
    auto build = load_build(name_, node_, context_);
    build.image = container().image();
    build.executor = container().executor();
    const auto* policy = find("pull_policy");
    build.when = !policy || policy->text == "missing" || policy->text == "if_not_present" ? BuildSpec::When::kMissing
                 : policy->text == "build"                                                ? BuildSpec::When::kAlways
                                                                                          : BuildSpec::When::kOnRequest;
    context_.builds.push_back(std::move(build));
  }

  void load_pull_policy() {
    const auto* node = find("pull_policy");
    const auto text = node ? read_text(*node, "pull_policy", problems_) : std::nullopt;
    const bool built = find("build") != nullptr;
    // What is built here is in no registry, unless somebody pushed it.
    if (built && (!text || *text == "build")) return container().set_pull_policy(v1::PULL_NEVER);
    if (!text || *text == "missing" || *text == "if_not_present") return;
    if (*text == "build") {
      problems_.add(node->at, fmt::format("the service `{}` has no `build`: describe it, or use missing", name_));
    } else if (*text == "always") {
      container().set_pull_policy(v1::PULL_ALWAYS);
    } else if (*text == "never") {
      container().set_pull_policy(v1::PULL_NEVER);
    } else {
      problems_.add(node->at,
                    fmt::format("the pull policy `{}` isn't supported: use missing, always, never or build", *text));
    }
  }

  void load_orchion() {
    const auto* orchion = find("x-orchion");
    if (!orchion || !expect_map(*orchion, "x-orchion", problems_)) return;
    check_keys(*orchion, kOrchionKeys, problems_);
    if (const auto* node = find_value(*orchion, "on_node_loss")) load_on_node_loss(*node);
    if (const auto* node = find_value(*orchion, "executor")) load_executor(*node);
    load_placement_rules(*orchion, spec_, context_);
    load_probes(node_, container(), context_);
    load_recovery(node_, spec_, context_);
  }

  void load_on_node_loss(const Node& node) {
    const auto text = read_text(node, "on_node_loss", problems_);
    if (!text) return;
    if (*text == "replace") {
      spec_.set_on_node_loss(v1::REPLACE);
    } else if (*text == "wait") {
      spec_.set_on_node_loss(v1::WAIT);
    } else if (*text == "fence") {
      spec_.set_on_node_loss(v1::FENCE);
    } else {
      problems_.add(node.at, fmt::format("`{}` says nothing about a node's loss: use replace, wait or fence", *text));
    }
  }

  void load_executor(const Node& node) {
    constexpr std::array kNames = {"oci", "docker", "podman", "containerd", core::kProcessExecutor};
    const auto text = read_text(node, "executor", problems_);
    if (!text) return;
    if (std::ranges::find(kNames, *text) == kNames.end())
      problems_.add(node.at, fmt::format("`{}` is no executor: use one of {}", *text, fmt::join(kNames, ", ")));
    container().set_executor(*text);
    if (*text == core::kProcessExecutor) check_program(node);
  }

  // A program of the node has the node's files and network.
  void check_program(const Node& executor) {
    for (const auto* key : {"image", "build", "runtime", "volumes", "secrets", "configs", "networks", "network_mode",
                            "ports", "devices", "read_only", "privileged", "sysctls", "extra_hosts", "tmpfs"}) {
      if (const auto* node = find(key))
        problems_.add(node->at,
                      fmt::format("`{}` means nothing to a program of the node: remove it, or the executor", key));
    }
    if (!find("command") && !find("entrypoint"))
      problems_.add(executor.at, fmt::format("the service `{}` has no `command`: name the program to run", name_));
    container().clear_networks();
    container().set_network_mode(v1::HOST_NETWORK);
  }

  bool is_program() const {
    const auto* orchion = find("x-orchion");
    const auto* executor = orchion && orchion->is_map() ? find_value(*orchion, "executor") : nullptr;
    return executor && executor->is_scalar() && executor->text == core::kProcessExecutor;
  }

  void load_words(std::string_view key, v1::StringList& out) {
    const auto& node = *find(key);
    std::vector<std::string> words;
    if (node.is_scalar()) {
      auto split = split_words(node.text);
      if (!split) return problems_.add(node.at, fmt::format("`{}`: {}", key, split.error().message));
      words = *std::move(split);
    } else {
      words = read_list(node, key, Single::kRefused, problems_);
    }
    for (auto& word : words) out.add_values(std::move(word));
  }

  void load_process() {
    if (find("entrypoint")) load_words("entrypoint", *container().mutable_entrypoint());
    if (find("command")) load_words("command", *container().mutable_command());
    if (const auto* node = find("stop_grace_period"))
      if (const auto grace = read_duration(*node, "stop_grace_period", problems_))
        *container().mutable_stop_grace_period() = core::to_duration(*grace);
    const auto take = [this](std::string_view key) -> std::string {
      const auto* node = find(key);
      return node ? read_text(*node, key, problems_).value_or("") : std::string();
    };
    container().set_user(take("user"));
    container().set_working_dir(take("working_dir"));
    container().set_hostname(take("hostname"));
    container().set_domainname(take("domainname"));
    container().set_oci_runtime(take("runtime"));
    container().set_stop_signal(take("stop_signal"));
    if (!container().working_dir().empty() && !container().working_dir().starts_with('/'))
      problems_.add(find("working_dir")->at, "`working_dir` must be an absolute path: begin it with `/`");
    if (const auto* node = find("attach")) read_bool(*node, "attach", problems_);
  }

  void load_labels() {
    load_label_files(node_, container(), context_);
    if (const auto* node = find("labels"))
      for (const auto& pair : read_pairs(*node, "labels", problems_))
        (*container().mutable_labels())[pair.key] = pair.value.value_or("");
    if (const auto* node = find("annotations"))
      for (const auto& pair : read_pairs(*node, "annotations", problems_))
        (*container().mutable_annotations())[pair.key] = pair.value.value_or("");
  }

  void load_dependencies() {
    const auto* node = find("depends_on");
    if (!node) return;
    if (node->is_list()) {
      for (auto& service : read_list(*node, "depends_on", Single::kRefused, problems_)) {
        auto& dependency = *spec_.add_depends_on();
        dependency.set_service(std::move(service));
        dependency.set_condition(v1::Dependency::STARTED);
      }
    } else if (expect_map(*node, "depends_on", problems_)) {
      for (const auto& entry : node->entries) load_dependency(entry);
    }
  }

  void load_dependency(const Node::Entry& entry) {
    auto& dependency = *spec_.add_depends_on();
    dependency.set_service(entry.key);
    dependency.set_condition(v1::Dependency::STARTED);
    if (!expect_map(entry.value, entry.key, problems_)) return;
    check_keys(entry.value, kDependencyKeys, problems_);
    if (const auto* required = find_value(entry.value, "required"))
      dependency.set_optional(!read_bool(*required, "required", problems_).value_or(true));
    if (const auto* restart = find_value(entry.value, "restart");
        restart && read_bool(*restart, "restart", problems_) == true)
      problems_.add(restart->at, "`restart: true` isn't supported: remove it, and let the program connect again");
    const auto* condition = find_value(entry.value, "condition");
    const auto text = condition ? read_text(*condition, "condition", problems_) : std::nullopt;
    if (text == "service_completed_successfully") {
      dependency.set_condition(v1::Dependency::COMPLETED_SUCCESSFULLY);
    } else if (text == "service_healthy") {
      dependency.set_condition(v1::Dependency::HEALTHY);
    } else if (text && text != "service_started") {
      problems_.add(condition->at, fmt::format("`{}` isn't a condition: use service_started, service_healthy or "
                                               "service_completed_successfully",
                                               *text));
    }
  }

  // "SERVICE" or "SERVICE:ALIAS".
  void load_links() {
    const auto* node = find("links");
    if (!node || !expect_list(*node, "links", problems_)) return;
    for (const auto& item : node->items) {
      const auto text = read_text(item, "links", problems_);
      if (!text) continue;
      const auto colon = text->find(':');
      Link link{text->substr(0, colon), colon == std::string::npos ? "" : text->substr(colon + 1), item.at};
      const auto known = std::ranges::find(spec_.depends_on(), link.service, &v1::Dependency::service);
      if (known == spec_.depends_on().end()) {
        auto& dependency = *spec_.add_depends_on();
        dependency.set_service(link.service);
        dependency.set_condition(v1::Dependency::STARTED);
      }
      links_.push_back(std::move(link));
    }
  }

  void load_models() {
    const auto* node = find("models");
    if (!node) return;
    if (node->is_list()) {
      for (auto& model : read_list(*node, "models", Single::kRefused, problems_))
        spec_.add_models()->set_model(std::move(model));
      return;
    }
    if (!expect_map(*node, "models", problems_)) return;
    for (const auto& entry : node->entries) {
      auto& binding = *spec_.add_models();
      binding.set_model(entry.key);
      if (!expect_map(entry.value, entry.key, problems_)) continue;
      check_keys(entry.value, kModelBindingKeys, problems_);
      if (const auto* name = find_value(entry.value, "endpoint_var"))
        binding.set_endpoint_variable(read_text(*name, "endpoint_var", problems_).value_or(""));
      if (const auto* name = find_value(entry.value, "model_var"))
        binding.set_model_variable(read_text(*name, "model_var", problems_).value_or(""));
    }
  }

  // "linux/arm64/v8": images name the architecture, and so do nodes.
  void load_platform() {
    const auto* node = find("platform");
    const auto text = node ? read_text(*node, "platform", problems_) : std::nullopt;
    if (!text) return;
    const auto slash = text->find('/');
    const auto architecture = slash == std::string::npos ? std::string() : text->substr(slash + 1);
    if (text->substr(0, slash) != "linux" || (slash != std::string::npos && architecture.empty()))
      return problems_.add(node->at, fmt::format("the platform `{}` isn't supported: write it as linux/amd64", *text));
    if (!architecture.empty())
      spec_.add_constraints("node.platform.arch==" + architecture.substr(0, architecture.find('/')));
  }

  void load_replicas() {
    const Node* deploy = find("deploy");
    const Node* replicas = deploy && deploy->is_map() ? find_value(*deploy, "replicas") : nullptr;
    const Node* scale = find("scale");
    std::optional<std::int64_t> wanted;
    if (replicas) wanted = read_integer(*replicas, "replicas", 0, kReplicasMax, problems_);
    if (scale) {
      const auto scaled = read_integer(*scale, "scale", 0, kReplicasMax, problems_);
      if (scaled && wanted && *scaled != *wanted)
        problems_.add(scale->at, "`scale` and `deploy.replicas` say different things: keep one");
      if (!wanted) wanted = scaled;
    }
    spec_.set_replicas(static_cast<std::uint32_t>(wanted.value_or(1)));
  }

  // Other containers of its networks find it by this name too; tasks keep their own names.
  void load_container_name() {
    const auto* node = find("container_name");
    const auto text = node ? read_text(*node, "container_name", problems_) : std::nullopt;
    if (!text) return;
    if (spec_.replicas() > 1)
      problems_.add(node->at, fmt::format("`container_name` can't name {} replicas: remove it, they are reached as "
                                          "`{}`",
                                          spec_.replicas(), name_));
    auto name = *text;
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (!core::is_host_alias(name))
      return problems_.add(node->at, fmt::format("`{}` can't be a name: use letters, digits, `-` and `_`", *text));
    if (name != name_)
      for (auto& attachment : *container().mutable_networks()) attachment.add_aliases(name);
  }

  const std::string& name_;
  const Node& node_;
  LoadContext& context_;
  Problems& problems_;
  v1::ServiceSpec spec_;
  std::vector<Link> links_;
};

}  // namespace

LoadedService load_service(const std::string& name, const Node& node, LoadContext& context) {
  if (!node.is_map()) {
    context.problems.add(
        node.at, fmt::format("the service `{}` must be a map with at least `image`, not {}", name, node.describe()));
    return {};
  }
  return ServiceLoader(name, node, context).run();
}

void set_resource(std::int64_t value, const Node& at, std::string_view what, std::int64_t before,
                  void (v1::Resources::*set)(std::int64_t), v1::Resources& resources, LoadContext& context) {
  if (before != 0 && before != value)
    context.problems.add(at.at, fmt::format("`{}` and `deploy.resources` say different things: keep one", what));
  (resources.*set)(value);
}

}  // namespace orchion::spec
