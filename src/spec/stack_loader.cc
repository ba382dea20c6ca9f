#include "spec/stack_loader.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include <fmt/core.h>

#include "core/naming.h"
#include "core/run_queue.h"
#include "core/shared_network.h"
#include "spec/build_loader.h"
#include "spec/files_loader.h"
#include "spec/job_loader.h"
#include "spec/keys.h"
#include "spec/network_policy_loader.h"
#include "spec/network_volume_loader.h"
#include "spec/service_loader.h"
#include "spec/stack_names.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

class StackLoader {
 public:
  StackLoader(const Node& root, const std::vector<std::string>& profiles, LoadContext& context)
      : root_(root), profiles_(profiles), context_(context), problems_(context.problems) {}

  v1::StackSpec run() {
    check_keys(root_, kTopKeys, problems_);
    if (const auto* version = root_.find("version"))
      context_.warnings.push_back(
          fmt::format("{}: `version` means nothing any more and is passed over: remove it", version->at.text()));
    for_each("services", names_.services, [this](const Node::Entry& entry) { load_one_service(entry); });
    load_networks();
    for_each("volumes", names_.volumes,
             [this](const Node::Entry& entry) { volumes_.load(entry, *spec_.add_volumes(), context_); });
    load_models();
    load_jobs();
    load_policies();
    if (const auto* services = root_.find("services");
        jobs_.empty() && (!services || services->is_null() || services->entries.empty()))
      problems_.add(services ? services->at : root_.at, "the file has no `services`: describe at least one");
    check_profiles();
    name_anonymous_volumes(spec_);
    check_references();
    check_cycles();
    apply_links();
    volumes_.apply(spec_);
    networks_.apply(spec_);
    fill_files(root_, spec_, context_);
    fill_build_secrets(root_, context_.builds, context_);
    names_.apply(spec_);
    names_.apply(context_.builds);
    settle_jobs();
    return std::move(spec_);
  }

 private:
  template <class Action>
  void for_each(std::string_view key, NameMap& names, Action action) {
    const auto* map = root_.find(key);
    if (!map || !expect_map(*map, key, problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key)) continue;
      settle_name(entry, names, context_);
      action(entry);
    }
  }

  // Another stack's network is known here by a name that nothing else hears of.
  void load_networks() {
    const auto* map = root_.find("networks");
    if (!map || !expect_map(*map, "networks", problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key)) continue;
      if (NetworkLoader::is_external(entry)) {
        networks_.load_external(entry, context_);
        continue;
      }
      settle_name(entry, names_.networks, context_);
      networks_.load(entry, *spec_.add_networks(), context_);
    }
  }

  bool is_active(const Node& service) {
    const auto* node = service.find("profiles");
    if (!node || node->is_null()) return true;
    const auto wanted = read_list(*node, "profiles", Single::kRefused, problems_);
    if (wanted.empty()) return true;
    for (const auto& name : wanted)
      if (!is_profile_name(name))
        problems_.add(node->at, fmt::format("`{}` isn't a profile: use letters, digits, `_`, `.` and `-`", name));
    known_profiles_.insert(wanted.begin(), wanted.end());
    return std::ranges::any_of(profiles_, [&](const std::string& active) {
      return active == "*" || std::ranges::find(wanted, active) != wanted.end();
    });
  }

  static bool is_profile_name(std::string_view name) {
    const auto plain = [](unsigned char c) { return std::isalnum(c) != 0; };
    return !name.empty() && plain(static_cast<unsigned char>(name.front())) &&
           std::ranges::all_of(name, [&](unsigned char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
  }

  void check_profiles() {
    for (const auto& active : profiles_)
      if (active != "*" && !known_profiles_.contains(active))
        context_.warnings.push_back(fmt::format("no service belongs to the profile `{}`: check its name", active));
  }

  void load_one_service(const Node::Entry& entry) {
    if (!is_active(entry.value)) {
      inactive_.emplace(entry.key, entry.value.find("profiles")->items.front().text);
      return;
    }
    nodes_[entry.key] = &entry.value;
    auto loaded = load_service(entry.key, entry.value, context_);
    auto& service = *spec_.add_services();
    service.set_name(entry.key);
    *service.mutable_spec() = std::move(loaded.spec);
    std::ranges::move(loaded.links, std::back_inserter(links_));
  }

  // Up to settle_jobs() they stand among the services, whose rules for names, networks, volumes and files are theirs.
  void load_jobs() {
    const auto* orchion = find_value(root_, "x-orchion");
    if (!orchion || !expect_map(*orchion, "x-orchion", problems_)) return;
    check_keys(*orchion, kStackOrchionKeys, problems_);
    load_queues(*orchion);
    const auto* map = find_value(*orchion, "jobs");
    if (!map || !expect_map(*map, "jobs", problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key) || !expect_map(entry.value, entry.key, problems_)) continue;
      settle_name(entry, names_.services, context_);
      nodes_[entry.key] = &entry.value;
      auto& job =
          jobs_.emplace(names_.services.labels.at(entry.key), load_job(entry.key, entry.value, context_)).first->second;
      if (!job.queue().empty() && core::find_queue(spec_, job.queue()) == nullptr)
        problems_.add(
            find_value(entry.value, "queue")->at,
            fmt::format("there is no queue `{}`: describe it under `x-orchion`, as `queues: {{{}: {{slots: 2}}}}`",
                        job.queue(), job.queue()));
      job_names_.insert(entry.key);
      auto& service = *spec_.add_services();
      service.set_name(entry.key);
      *service.mutable_spec() = load_service(entry.key, service_part(entry.value), context_).spec;
    }
  }

  // By their services' names here, not the file's: they need no renaming.
  void load_policies() {
    const auto* orchion = find_value(root_, "x-orchion");
    if (!orchion || !orchion->is_map()) return;
    for (auto& policy : load_network_policies(*orchion, {names_.services.labels, inactive_}, context_))
      *spec_.add_network_policies() = std::move(policy);
  }

  void load_queues(const Node& orchion) {
    const auto* map = find_value(orchion, "queues");
    if (!map || !expect_map(*map, "queues", problems_)) return;
    for (const auto& entry : map->entries)
      if (!is_extension(entry.key)) *spec_.add_queues() = load_queue(entry, context_);
  }

  void settle_jobs() {
    google::protobuf::RepeatedPtrField<v1::NamedService> services;
    services.Swap(spec_.mutable_services());
    for (auto& service : services) {
      const auto found = jobs_.find(service.name());
      if (found == jobs_.end()) {
        *spec_.add_services() = std::move(service);
        continue;
      }
      auto& job = *spec_.add_jobs();
      job.set_name(service.name());
      auto& spec = *job.mutable_spec() = std::move(found->second);
      *spec.mutable_container() = std::move(*service.mutable_spec()->mutable_container());
      *spec.mutable_constraints() = std::move(*service.mutable_spec()->mutable_constraints());
      if (service.spec().has_placement())
        *spec.mutable_placement_rules() = std::move(*service.mutable_spec()->mutable_placement());
      *spec.mutable_labels() = std::move(*service.mutable_spec()->mutable_labels());
      spec.set_on_node_loss(service.spec().on_node_loss());
    }
  }

  void load_models() {
    const auto* map = find_value(root_, "models");
    if (!map || !expect_map(*map, "models", problems_)) return;
    for (const auto& entry : map->entries) {
      if (is_extension(entry.key)) continue;
      auto& model = *spec_.add_models();
      model.set_name(entry.key);
      if (!expect_map(entry.value, entry.key, problems_)) continue;
      check_keys(entry.value, kModelKeys, problems_);
      const auto* name = find_value(entry.value, "model");
      if (!name) problems_.add(entry.value.at, fmt::format("the model `{}` has no `model`: name one", entry.key));
      if (name) model.mutable_spec()->set_model(read_text(*name, "model", problems_).value_or(""));
      if (const auto* size = find_value(entry.value, "context_size"))
        model.mutable_spec()->set_context_size(static_cast<std::uint32_t>(
            read_integer(*size, "context_size", 0, std::int64_t{1} << 31, problems_).value_or(0)));
      if (const auto* flags = find_value(entry.value, "runtime_flags"))
        for (auto& flag : read_list(*flags, "runtime_flags", Single::kRefused, problems_))
          model.mutable_spec()->add_runtime_flags(std::move(flag));
    }
  }

  // Where in a service's part of the file `name` stands below `key`.
  Position place_of(const std::string& service, std::string_view key, std::string_view name) const {
    const Node& node = *nodes_.at(service);
    const auto* part = node.find(key);
    if (!part) return node.at;
    for (const auto& entry : part->entries)
      if (entry.key == name) return entry.key_at;
    for (const auto& item : part->items) {
      const auto* source = item.find("source");
      const std::string_view text = source ? std::string_view(source->text) : std::string_view(item.text);
      if (text == name || (text.starts_with(name) && text.substr(name.size()).starts_with(':'))) return item.at;
    }
    return part->at;
  }

  void check_references() {
    std::set<std::string, std::less<>> networks, volumes;
    for (const auto& network : spec_.networks()) networks.insert(network.name());
    for (const auto& volume : spec_.volumes()) volumes.insert(volume.name());
    bool default_is_used = false;
    for (auto& service : *spec_.mutable_services()) {
      for (const auto& attachment : service.spec().container().networks()) {
        if (networks_.is_declared(attachment.network())) continue;
        default_is_used = default_is_used || attachment.network() == "default";
        if (attachment.network() != "default" && !networks.contains(attachment.network()))
          undeclared(service.name(), "networks", attachment.network());
      }
      for (const auto& mount : service.spec().container().mounts())
        if (mount.type() == v1::Mount::VOLUME && !volumes.contains(mount.source()))
          undeclared(service.name(), "volumes", mount.source());
      check_dependencies(service);
      check_shared_network(service);
      for (const auto& binding : service.spec().models())
        if (std::ranges::find(spec_.models(), binding.model(), &v1::NamedModel::name) == spec_.models().end())
          undeclared(service.name(), "models", binding.model());
    }
    if (!default_is_used || networks.contains("default")) return;
    auto& network = *spec_.add_networks();
    network.set_name("default");
    network.mutable_spec();
  }

  void check_shared_network(v1::NamedService& service) {
    const auto name = service.spec().container().network_service();
    if (name.empty()) return;
    const auto at = place_of(service.name(), "network_mode", name);
    if (job_names_.contains(service.name()))
      problems_.add(at, "a job can't share a service's network: let it join the service's networks");
    else if (inactive_.contains(name))
      problems_.add(at, fmt::format("`{}` belongs to a profile that isn't active: activate it with --profile {}", name,
                                    inactive_.at(name)));
    else if (job_names_.contains(name))
      problems_.add(at, fmt::format("`{}` is a job, whose network can't be shared: name a service", name));
    else if (const auto problem = core::shared_network_problem(spec_, service); !problem.empty())
      problems_.add(at, problem);
    else
      core::depend_on_shared_network(*service.mutable_spec());
  }

  void undeclared(const std::string& service, std::string_view kind, const std::string& name) {
    problems_.add(place_of(service, kind, name),
                  fmt::format("`{}` isn't declared: add it under the top-level `{}`", name, kind));
  }

  void check_dependencies(v1::NamedService& service) {
    auto& dependencies = *service.mutable_spec()->mutable_depends_on();
    for (int i = 0; i < dependencies.size();) {
      const auto& dependency = dependencies[i];
      if (nodes_.contains(dependency.service()) && !job_names_.contains(dependency.service())) {
        if (dependency.condition() == v1::Dependency::HEALTHY) check_health_of(service.name(), dependency.service());
        ++i;
        continue;
      }
      if (!dependency.optional()) complain_of_dependency(service.name(), dependency.service());
      dependencies.DeleteSubrange(i, 1);
    }
  }

  void check_health_of(const std::string& service, const std::string& name) {
    const auto found = std::ranges::find(spec_.services(), name, &v1::NamedService::name);
    const auto& container = found->spec().container();
    if (container.health_check().disabled())
      problems_.add(place_of(service, "depends_on", name),
                    fmt::format("`{}` has its `healthcheck` disabled, so it never counts as healthy: write one, or "
                                "wait for service_started",
                                name));
  }

  void complain_of_dependency(const std::string& service, const std::string& name) {
    const auto at = place_of(service, nodes_.at(service)->find("depends_on") ? "depends_on" : "links", name);
    if (job_names_.contains(name))
      problems_.add(at, fmt::format("`{}` is a job, which services can't wait for: remove this", name));
    else if (inactive_.contains(name))
      problems_.add(at, fmt::format("`{}` belongs to a profile that isn't active: activate it with --profile {}", name,
                                    inactive_.at(name)));
    else
      problems_.add(at, fmt::format("there is no service `{}` to depend on: add it, or remove this", name));
  }

  // The aliases stand with the service they name, in all its networks.
  void apply_links() {
    for (const auto& link : links_) {
      if (link.alias.empty()) continue;
      if (!core::is_host_alias(link.alias)) {
        problems_.add(link.at, fmt::format("`{}` can't be a name: use letters, digits, `-` and `_`", link.alias));
        continue;
      }
      for (auto& service : *spec_.mutable_services()) {
        if (service.name() != link.service || link.alias == link.service) continue;
        if (core::shares_network(service.spec().container()))
          problems_.add(link.at, fmt::format("`{}` can have no further name, since it shares the network of `{}`: link "
                                             "to that",
                                             link.service, service.spec().container().network_service()));
        for (auto& attachment : *service.mutable_spec()->mutable_container()->mutable_networks())
          add_alias(attachment, link.alias);
      }
    }
  }

  // Services are taken away as soon as all they depend on is; what stays depends on itself.
  void check_cycles() {
    std::map<std::string, std::set<std::string>> waiting;
    std::map<std::string, std::vector<std::string>> dependents;
    std::vector<std::string> free;
    for (const auto& service : spec_.services()) {
      auto& needs = waiting[service.name()];
      for (const auto& dependency : service.spec().depends_on())
        if (nodes_.contains(dependency.service()) && needs.insert(dependency.service()).second)
          dependents[dependency.service()].push_back(service.name());
      if (needs.empty()) free.push_back(service.name());
    }
    while (!free.empty()) {
      const auto name = std::move(free.back());
      free.pop_back();
      waiting.erase(name);
      for (const auto& dependent : dependents[name]) {
        auto& needs = waiting[dependent];
        needs.erase(name);
        if (needs.empty()) free.push_back(dependent);
      }
    }
    if (waiting.empty()) return;
    // Whoever still waits leads into a circle sooner or later.
    std::set<std::string> seen;
    auto name = waiting.begin()->first;
    while (seen.insert(name).second) name = *waiting[name].begin();
    const auto& next = *waiting[name].begin();
    problems_.add(place_of(name, "depends_on", next),
                  fmt::format("`{}` waits for `{}`, and through it for itself: break the circle", name, next));
  }

  const Node& root_;
  const std::vector<std::string>& profiles_;
  LoadContext& context_;
  Problems& problems_;
  v1::StackSpec spec_;
  std::map<std::string, const Node*> nodes_;     // of the loaded services
  std::map<std::string, std::string> inactive_;  // service → its first profile
  std::set<std::string> known_profiles_;
  std::map<std::string, v1::JobSpec> jobs_;  // by the names they have here
  std::set<std::string> job_names_;          // as the file has them
  std::vector<Link> links_;
  StackNames names_;
  NetworkLoader networks_;
  VolumeLoader volumes_;
};

}  // namespace

v1::StackSpec load_stack(const Node& root, const std::vector<std::string>& profiles, LoadContext& context) {
  return StackLoader(root, profiles, context).run();
}

}  // namespace orchion::spec
