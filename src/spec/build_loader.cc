#include "spec/build_loader.h"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "core/image_reference.h"
#include "spec/keys.h"
#include "spec/mount_syntax.h"
#include "spec/stack_names.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

class BuildLoader {
 public:
  BuildLoader(const Node& service, LoadContext& context)
      : service_(service), node_(whole(*service.find("build"))), context_(context), problems_(context.problems) {}

  BuildSpec run(const std::string& name) {
    build_.service = name;
    build_.place = node_.at.text();
    if (!expect_map(node_, "build", problems_)) return std::move(build_);
    check_keys(node_, kBuildKeys, problems_);
    load_source();
    load_arguments();
    build_.labels = pairs("labels");
    for (auto& pair : pairs("additional_contexts"))
      build_.additional_contexts.push_back({pair.name, location(pair.value, node_.find("additional_contexts")->at)});
    load_hosts();
    load_limits();
    load_secrets();
    load_ssh();
    build_.cache_from = list("cache_from");
    build_.cache_to = list("cache_to");
    load_tags();
    build_.target = text("target");
    load_network();
    load_platform();
    if (const auto* size = find("shm_size")) build_.shm_bytes = read_bytes(*size, "shm_size", problems_).value_or(0);
    build_.no_cache = flag("no_cache");
    build_.pull = flag("pull");
    if (const auto isolation = text("isolation"); !isolation.empty() && isolation != "default")
      problems_.add(find("isolation")->at,
                    fmt::format("`isolation: {}` means something on Windows only: use default", isolation));
    return std::move(build_);
  }

 private:
  // The short form names the context alone.
  static Node whole(const Node& node) {
    if (!node.is_scalar()) return node;
    Node map{Node::Kind::kMap, node.at};
    map.entries.push_back({"context", node.at, node});
    return map;
  }

  const Node* find(std::string_view key) const { return find_value(node_, key); }

  std::string text(std::string_view key) {
    const auto* node = find(key);
    return node ? read_text(*node, key, problems_).value_or("") : "";
  }

  bool flag(std::string_view key) {
    const auto* node = find(key);
    return node && read_bool(*node, key, problems_).value_or(false);
  }

  std::vector<std::string> list(std::string_view key) {
    const auto* node = find(key);
    return node ? read_list(*node, key, Single::kRefused, problems_) : std::vector<std::string>();
  }

  std::vector<BuildSpec::Pair> pairs(std::string_view key) {
    std::vector<BuildSpec::Pair> result;
    const auto* node = find(key);
    if (!node) return result;
    for (auto& pair : read_pairs(*node, key, problems_)) result.push_back({pair.key, pair.value.value_or("")});
    return result;
  }

  // A folder in its full length; addresses stay as they are.
  std::string location(const std::string& where, const Position& at) {
    if (where.starts_with("service:"))
      problems_.add(at,
                    fmt::format("`{}` isn't supported: name that service's image, as `docker-image://NAME`", where));
    if (is_address(where)) return where;
    auto path = resolve_host_path(
        where.starts_with('/') || where.starts_with('.') || where.starts_with('~') ? where : "./" + where,
        context_.folders_of(at));
    if (!path) problems_.add(at, path.error().message);
    return path.value_or("");
  }

  void load_source() {
    const auto* context = find("context");
    const auto where = text("context");
    build_.context = location(where.empty() ? "." : where, context ? context->at : node_.at);
    build_.dockerfile_inline = text("dockerfile_inline");
    build_.dockerfile = text("dockerfile");
    if (!build_.dockerfile.empty() && !build_.dockerfile_inline.empty())
      problems_.add(find("dockerfile_inline")->at, "there is a `dockerfile` too: keep one of them");
    if (!build_.dockerfile.empty() && !is_address(build_.context) && !build_.dockerfile.starts_with('/'))
      build_.dockerfile = (std::filesystem::path(build_.context) / build_.dockerfile).lexically_normal().string();
  }

  // What has no value takes that of the environment, and isn't given where there is none.
  void load_arguments() {
    const auto* node = find("args");
    if (!node) return;
    for (auto& pair : read_pairs(*node, "args", problems_)) {
      if (pair.value) {
        build_.arguments.push_back({pair.key, *pair.value});
      } else if (auto value = context_.scope_of(pair.at).lookup(pair.key)) {
        build_.arguments.push_back({pair.key, *std::move(value), true});
      }
    }
  }

  void add_host(const std::string& name, const std::string& address, const Position& at) {
    if (name.empty() || address.empty())
      return problems_.add(at, "a host needs a name and an address: write NAME=ADDRESS");
    build_.extra_hosts.push_back({name, address});
  }

  void load_hosts() {
    const auto* node = find("extra_hosts");
    if (!node) return;
    if (node->is_list()) {
      for (const auto& item : node->items) {
        const auto host = read_text(item, "extra_hosts", problems_).value_or("");
        const auto end = std::min(host.find('='), host.find(':'));
        add_host(host.substr(0, end), end == std::string::npos ? "" : host.substr(end + 1), item.at);
      }
    } else if (expect_map(*node, "extra_hosts", problems_)) {
      for (const auto& entry : node->entries)
        for (const auto& address : read_list(entry.value, entry.key, Single::kIsAList, problems_))
          add_host(entry.key, address, entry.value.at);
    }
  }

  void load_limits() {
    const auto* node = find("ulimits");
    if (!node || !expect_map(*node, "ulimits", problems_)) return;
    for (const auto& entry : node->entries) {
      if (is_extension(entry.key)) continue;
      const auto figure = [&](const Node* value) {
        return value ? read_integer(*value, entry.key, -1, std::int64_t{1} << 62, problems_) : std::nullopt;
      };
      if (entry.value.is_map()) check_keys(entry.value, kUlimitKeys, problems_);
      auto soft = figure(entry.value.is_map() ? find_value(entry.value, "soft") : &entry.value);
      auto hard = figure(entry.value.is_map() ? find_value(entry.value, "hard") : &entry.value);
      if (!soft && !hard) continue;
      build_.ulimits.push_back(
          {entry.key, fmt::format("{}:{}", soft.value_or(hard.value_or(0)), hard.value_or(soft.value_or(0)))});
    }
  }

  void load_secrets() {
    const auto* node = find("secrets");
    if (!node || !expect_list(*node, "secrets", problems_)) return;
    for (const auto& item : node->items) {
      BuildSpec::Secret secret;
      if (item.is_map()) {
        check_keys(item, kBuildSecretKeys, problems_);
        if (const auto* source = find_value(item, "source"))
          secret.variable = read_text(*source, "source", problems_).value_or("");
        if (const auto* target = find_value(item, "target"))
          secret.id = read_text(*target, "target", problems_).value_or("");
      } else {
        secret.variable = read_text(item, "secrets", problems_).value_or("");
      }
      if (secret.variable.empty()) {
        problems_.add(item.at, "a secret of a build has no `source`: name it");
        continue;
      }
      if (secret.id.empty()) secret.id = secret.variable;
      build_.secrets.push_back(std::move(secret));
    }
  }

  void load_ssh() {
    const auto* node = find("ssh");
    if (!node) return;
    if (node->is_scalar()) {
      build_.ssh.push_back(node->text);
      return;
    }
    for (auto& pair : read_pairs(*node, "ssh", problems_))
      build_.ssh.push_back(pair.value && !pair.value->empty() ? pair.key + "=" + location(*pair.value, pair.at)
                                                              : pair.key);
  }

  void load_tags() {
    build_.tags = list("tags");
    for (const auto& tag : build_.tags)
      if (auto parsed = core::parse_image_reference(tag); !parsed)
        problems_.add(find("tags")->at, parsed.error().message);
  }

  void load_network() {
    build_.network = text("network");
    if (build_.network == "default") build_.network.clear();
    if (!build_.network.empty() && build_.network != "host" && build_.network != "none")
      problems_.add(find("network")->at,
                    fmt::format("`network: {}` isn't supported: the stack's networks aren't there yet while images are "
                                "built; use host, none or default",
                                build_.network));
  }

  void load_platform() {
    const auto platforms = list("platforms");
    if (platforms.size() > 1)
      problems_.add(find("platforms")->at,
                    "an image is built for one platform: name one, or build the others with a service each");
    if (!platforms.empty()) build_.platform = platforms.front();
    if (const auto* platform = find_value(service_, "platform"); platform && build_.platform.empty())
      build_.platform = platform->text;
  }

  const Node& service_;
  const Node node_;
  LoadContext& context_;
  Problems& problems_;
  BuildSpec build_;
};

// The source of one secret, from the top-level `secrets`.
void fill_secret(const Node& root, const BuildSpec& build, BuildSpec::Secret& secret, LoadContext& context) {
  const auto name = std::exchange(secret.variable, "");
  const auto* build_node = root.find("services")->find(build.service)->find("build");
  const auto& at = build_node->find("secrets")->at;
  const auto* map = find_value(root, "secrets");
  const auto* node = map ? map->find(name) : nullptr;
  if (!node)
    return context.problems.add(at, fmt::format("`{}` isn't declared: add it under the top-level `secrets`", name));
  const auto* file = find_value(*node, "file");
  const auto* variable = find_value(*node, "environment");
  if ((file != nullptr) == (variable != nullptr)) {
    if (!node->find("external"))
      context.problems.add(node->at, fmt::format("the secret `{}` must have one of `file` and `environment`", name));
    return;
  }
  if (file) {
    const auto path = context.readable_path(file->text, file->at, "the secret's file");
    secret.file = path ? path->string() : "";
    return;
  }
  secret.variable = variable->text;
  auto value = context.scope_of(variable->at).lookup(secret.variable);
  if (!value)
    return context.problems.add(
        variable->at, fmt::format("the variable {} isn't set: set it in the environment or in .env", secret.variable));
  secret.value = *std::move(value);
}

}  // namespace

bool is_address(std::string_view context) {
  return context.find("://") != std::string_view::npos || context.starts_with("git@") ||
         context.starts_with("github.com/");
}

BuildSpec load_build(const std::string& name, const Node& service, LoadContext& context) {
  return BuildLoader(service, context).run(name);
}

void fill_build_secrets(const Node& root, std::vector<BuildSpec>& builds, LoadContext& context) {
  for (auto& build : builds)
    for (auto& secret : build.secrets) fill_secret(root, build, secret, context);
}

std::string built_image_name(std::string_view stack, std::string_view service) {
  return fmt::format("{}-{}", stack, as_label(service));
}

}  // namespace orchion::spec
