#include "spec/service_loader.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::int64_t kReplicasMax = 10'000;
constexpr std::int64_t kPidsMax = std::int64_t{1} << 22;  // the kernel's own limit

void set_seconds(base::Duration duration, google::protobuf::Duration& out) {
  constexpr std::int64_t kNanosecondsInSecond = 1'000'000'000;
  out.set_seconds(duration.count() / kNanosecondsInSecond);
  out.set_nanos(static_cast<std::int32_t>(duration.count() % kNanosecondsInSecond));
}

// "CAP_NET_ADMIN" and "net_admin" as "NET_ADMIN".
std::string capability_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name.starts_with("CAP_") ? name.substr(4) : name;
}

class ServiceLoader {
 public:
  ServiceLoader(const std::string& name, const Node& node, LoadContext& context)
      : name_(name), node_(node), context_(context), problems_(context.problems) {}

  v1::ServiceSpec run() {
    check_keys(node_, kServiceKeys, problems_);
    load_image();
    load_process();
    load_texts();
    load_flags();
    load_environment(node_, container(), context_);
    if (const auto* node = find("labels")) load_labels(*node, "labels", *container().mutable_labels());
    if (const auto* node = find("ports")) load_ports(*node, container(), context_);
    if (const auto* node = find("volumes")) load_mounts(*node, container(), context_);
    load_networks();
    load_dependencies();
    load_capabilities();
    if (const auto* node = find("restart")) load_restart(*node, *spec_.mutable_restart(), context_);
    if (const auto* node = find("deploy")) load_deploy(*node, spec_, context_);
    load_resources();
    load_replicas();
    return std::move(spec_);
  }

 private:
  // A key without a value counts as absent.
  const Node* find(std::string_view key) const {
    const auto* value = node_.find(key);
    return value && !value->is_null() ? value : nullptr;
  }
  v1::ContainerSpec& container() { return *spec_.mutable_container(); }

  void load_image() {
    const auto* image = find("image");
    if (!image) {
      // A misspelt `image` and a `build` were complained about already.
      const bool said = std::ranges::any_of(node_.entries, [](const Node::Entry& entry) {
        return entry.key == "build" ||
               (entry.key != "image" && !is_extension(entry.key) && nearest_key(entry.key, kServiceKeys) == "image");
      });
      if (!said) problems_.add(node_.at, fmt::format("the service `{}` has no `image`: name one", name_));
      return;
    }
    const auto text = read_text(*image, "image", problems_);
    if (text && text->empty())
      problems_.add(image->at, fmt::format("`image` of the service `{}` is empty: name one", name_));
    if (text) container().set_image(*text);
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
        set_seconds(*grace, *container().mutable_stop_grace_period());
  }

  void load_texts() {
    const auto take = [this](std::string_view key) -> std::string {
      const auto* node = find(key);
      return node ? read_text(*node, key, problems_).value_or("") : std::string();
    };
    container().set_user(take("user"));
    container().set_working_dir(take("working_dir"));
    container().set_hostname(take("hostname"));
    container().set_stop_signal(take("stop_signal"));
    if (!container().working_dir().empty() && !container().working_dir().starts_with('/'))
      problems_.add(find("working_dir")->at, "`working_dir` must be an absolute path: begin it with `/`");
  }

  void load_flags() {
    const auto take = [this](std::string_view key) {
      const auto* node = find(key);
      return node && read_bool(*node, key, problems_).value_or(false);
    };
    container().set_tty(take("tty"));
    container().set_stdin_open(take("stdin_open"));
    container().set_read_only_root(take("read_only"));
  }

  void load_labels(const Node& node, std::string_view what, google::protobuf::Map<std::string, std::string>& out) {
    for (const auto& pair : read_pairs(node, what, problems_)) out[pair.key] = pair.value.value_or("");
  }

  void load_networks() {
    const auto* node = find("networks");
    if (node && node->is_list()) {
      for (const auto& item : node->items)
        if (const auto network = read_text(item, "networks", problems_))
          container().add_networks()->set_network(*network);
    } else if (node && expect_map(*node, "networks", problems_)) {
      for (const auto& entry : node->entries) load_attachment(entry);
    }
    if (container().networks().empty()) container().add_networks()->set_network("default");
  }

  void load_attachment(const Node::Entry& entry) {
    auto& attachment = *container().add_networks();
    attachment.set_network(entry.key);
    if (!expect_map(entry.value, entry.key, problems_)) return;
    check_keys(entry.value, kAttachmentKeys, problems_);
    const auto* aliases = entry.value.find("aliases");
    if (!aliases) return;
    for (auto& alias : read_list(*aliases, "aliases", Single::kRefused, problems_))
      attachment.add_aliases(std::move(alias));
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
    if (const auto* required = entry.value.find("required"))
      if (!read_bool(*required, "required", problems_).value_or(true))
        problems_.add(required->at, "`required: false` isn't supported yet: remove it");
    const auto* condition = entry.value.find("condition");
    if (!condition) return;
    const auto text = read_text(*condition, "condition", problems_);
    if (text == "service_completed_successfully") {
      dependency.set_condition(v1::Dependency::COMPLETED_SUCCESSFULLY);
    } else if (text == "service_healthy") {
      problems_.add(
          condition->at,
          "`service_healthy` isn't supported yet, as health checks aren't: use `service_started`, and let the "
          "program retry until what it needs answers");
    } else if (text && text != "service_started") {
      problems_.add(condition->at, fmt::format("`{}` isn't a condition: use service_started or "
                                               "service_completed_successfully",
                                               *text));
    }
  }

  void load_capabilities() {
    if (const auto* node = find("cap_add"))
      for (auto& name : read_list(*node, "cap_add", Single::kRefused, problems_))
        container().add_cap_add(capability_name(std::move(name)));
    if (const auto* node = find("cap_drop"))
      for (auto& name : read_list(*node, "cap_drop", Single::kRefused, problems_))
        container().add_cap_drop(capability_name(std::move(name)));
  }

  void load_resources() {
    auto& limits = *container().mutable_limits();
    if (const auto* node = find("cpus"))
      if (const auto cpus = read_nano_cpus(*node, "cpus", problems_))
        set_resource(*cpus, *node, "cpus", limits.nano_cpus(), &v1::Resources::set_nano_cpus, limits, context_);
    if (const auto* node = find("mem_limit"))
      if (const auto bytes = read_bytes(*node, "mem_limit", problems_))
        set_resource(*bytes, *node, "mem_limit", limits.memory_bytes(), &v1::Resources::set_memory_bytes, limits,
                     context_);
    if (const auto* node = find("pids_limit"))
      if (const auto pids = read_integer(*node, "pids_limit", -1, kPidsMax, problems_))
        set_resource(std::max<std::int64_t>(*pids, 0), *node, "pids_limit", limits.pids(), &v1::Resources::set_pids,
                     limits, context_);
    if (limits.ByteSizeLong() == 0) container().clear_limits();
  }

  void load_replicas() {
    const Node* deploy = find("deploy");
    const Node* replicas = deploy && deploy->is_map() ? deploy->find("replicas") : nullptr;
    const Node* scale = find("scale");
    std::optional<std::int64_t> wanted;
    if (replicas && !replicas->is_null()) wanted = read_integer(*replicas, "replicas", 0, kReplicasMax, problems_);
    if (scale) {
      const auto scaled = read_integer(*scale, "scale", 0, kReplicasMax, problems_);
      if (scaled && wanted && *scaled != *wanted)
        problems_.add(scale->at, "`scale` and `deploy.replicas` say different things: keep one");
      if (!wanted) wanted = scaled;
    }
    spec_.set_replicas(static_cast<std::uint32_t>(wanted.value_or(1)));
  }

  const std::string& name_;
  const Node& node_;
  LoadContext& context_;
  Problems& problems_;
  v1::ServiceSpec spec_;
};

}  // namespace

v1::ServiceSpec load_service(const std::string& name, const Node& node, LoadContext& context) {
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
    context.problems.add(at.at, fmt::format("`{}` and `deploy.resources.limits` say different things: keep one", what));
  (resources.*set)(value);
}

}  // namespace orchion::spec
