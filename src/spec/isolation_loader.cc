// What separates a container from its node: users, capabilities, namespaces, security options, limits of a process.

#include <algorithm>
#include <array>
#include <cctype>
#include <limits>

#include <fmt/core.h>

#include "spec/keys.h"
#include "spec/service_loader.h"
#include "spec/values.h"

namespace orchion::spec {

namespace {

constexpr std::string_view kLimitNames[] = {"as",      "core",     "cpu",        "data",   "fsize", "locks",
                                            "memlock", "msgqueue", "nice",       "nofile", "nproc", "rss",
                                            "rtprio",  "rttime",   "sigpending", "stack"};

// "CAP_NET_ADMIN" and "net_admin" as "NET_ADMIN".
std::string capability_name(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return name.starts_with("CAP_") ? name.substr(4) : name;
}

class IsolationLoader {
 public:
  IsolationLoader(const Node& node, v1::ContainerSpec& container, LoadContext& context)
      : node_(node), container_(container), problems_(context.problems) {}

  void run() {
    container_.set_tty(flag("tty"));
    container_.set_stdin_open(flag("stdin_open"));
    container_.set_read_only_root(flag("read_only"));
    container_.set_init(flag("init"));
    container_.set_privileged(flag("privileged"));
    load_capabilities();
    load_namespaces();
    if (const auto* node = find("security_opt"))
      for (const auto& item : node->items) load_security_option(item);
    if (const auto* node = find("security_opt")) expect_list(*node, "security_opt", problems_);
    load_limits();
    load_sysctls();
    if (const auto* node = find("group_add"))
      for (auto& group : read_list(*node, "group_add", Single::kRefused, problems_))
        container_.add_group_add(std::move(group));
    if (const auto* node = find("oom_score_adj"))
      container_.set_oom_score_adj(
          static_cast<std::int32_t>(read_integer(*node, "oom_score_adj", -1000, 1000, problems_).value_or(0)));
  }

 private:
  const Node* find(std::string_view key) const { return find_value(node_, key); }

  bool flag(std::string_view key) {
    const auto* node = find(key);
    return node && read_bool(*node, key, problems_).value_or(false);
  }

  void load_capabilities() {
    if (const auto* node = find("cap_add"))
      for (auto& name : read_list(*node, "cap_add", Single::kRefused, problems_))
        container_.add_cap_add(capability_name(std::move(name)));
    if (const auto* node = find("cap_drop"))
      for (auto& name : read_list(*node, "cap_drop", Single::kRefused, problems_))
        container_.add_cap_drop(capability_name(std::move(name)));
  }

  // True for "host"; any other word but those in `own` is a problem.
  v1::NamespaceMode mode(std::string_view key, std::initializer_list<std::string_view> own, std::string_view advice) {
    const auto* node = find(key);
    const auto text = node ? read_text(*node, key, problems_) : std::nullopt;
    if (!text) return v1::OWN;
    if (*text == "host") return v1::OF_HOST;
    if (std::ranges::find(own, *text) == own.end())
      problems_.add(node->at, fmt::format("`{}: {}` isn't supported: {}", key, *text, advice));
    return v1::OWN;
  }

  void load_namespaces() {
    container_.set_cgroup_namespace(mode("cgroup", {"private"}, "use private or host"));
    container_.set_ipc(
        mode("ipc", {"private", "shareable"}, "use private or host, or run both programs in one container"));
    container_.set_pid(mode("pid", {}, "use host, or run both programs in one container"));
    container_.set_uts(mode("uts", {}, "use host, or remove it"));
    load_users();
    if (container_.uts() == v1::OF_HOST && (!container_.hostname().empty() || !container_.domainname().empty()))
      problems_.add(find("uts")->at, "`uts: host` has the node's name: remove it, or `hostname` and `domainname`");
    const auto* isolation = find("isolation");
    const auto text = isolation ? read_text(*isolation, "isolation", problems_) : std::nullopt;
    if (text && *text != "default")
      problems_.add(isolation->at, fmt::format("`isolation: {}` means something on Windows only: remove it", *text));
  }

  // The word is Podman's.
  void load_users() {
    const auto* node = find("userns_mode");
    const auto text = node ? read_text(*node, "userns_mode", problems_) : std::nullopt;
    if (!text || text->empty() || *text == "host") return;
    if (*text == "auto") return container_.set_user_namespace(v1::USERS_AUTO);
    problems_.add(node->at,
                  fmt::format("`userns_mode: {}` isn't supported: use auto, for users of the container's own, "
                              "or host",
                              *text));
  }

  // NAME, NAME:VALUE or NAME=VALUE.
  void load_security_option(const Node& item) {
    const auto text = read_text(item, "security_opt", problems_);
    if (!text) return;
    const auto end = text->find_first_of("=:");
    const auto name = text->substr(0, end);
    const auto value = end == std::string::npos ? std::string() : text->substr(end + 1);
    if (name == "no-new-privileges" && (value.empty() || parse_bool(value))) {
      container_.set_may_gain_privileges(!value.empty() && !*parse_bool(value));
    } else if (name == "seccomp" && value == "unconfined") {
      container_.set_no_seccomp(true);
    } else if (name == "systempaths" && value == "unconfined") {
      container_.set_no_masked_paths(true);
    } else if (!(name == "apparmor" && value == "unconfined") && !(name == "label" && value == "disable")) {
      problems_.add(item.at, fmt::format("the security option `{}` isn't supported: use no-new-privileges, "
                                         "seccomp=unconfined or systempaths=unconfined, or remove it",
                                         *text));
    }
  }

  void load_limits() {
    const auto* node = find("ulimits");
    if (!node || !expect_map(*node, "ulimits", problems_)) return;
    for (const auto& entry : node->entries) {
      if (is_extension(entry.key)) continue;
      if (std::ranges::find(kLimitNames, entry.key) == std::end(kLimitNames))
        problems_.add(entry.key_at,
                      fmt::format("`{}` isn't a limit: use one such as nofile, nproc or memlock", entry.key));
      load_limit(entry);
    }
  }

  void load_limit(const Node::Entry& entry) {
    auto& limit = *container_.add_ulimits();
    limit.set_name(entry.key);
    const auto figure = [&](const Node* node) {
      constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
      return node ? read_integer(*node, entry.key, -1, kMost, problems_) : std::nullopt;
    };
    if (!entry.value.is_map()) {
      const auto value = figure(&entry.value).value_or(0);
      limit.set_soft(value);
      limit.set_hard(value);
      return;
    }
    check_keys(entry.value, kUlimitKeys, problems_);
    const auto soft = figure(find_value(entry.value, "soft")), hard = figure(find_value(entry.value, "hard"));
    if (!soft && !hard)
      return problems_.add(entry.value.at, fmt::format("`{}` has neither `soft` nor `hard`: write both", entry.key));
    limit.set_soft(soft.value_or(hard.value_or(0)));
    limit.set_hard(hard.value_or(soft.value_or(0)));
    if (limit.hard() != -1 && (limit.soft() == -1 || limit.soft() > limit.hard()))
      problems_.add(entry.value.at, fmt::format("the soft limit of `{}` is above its hard one: lower it", entry.key));
  }

  void load_sysctls() {
    const auto* node = find("sysctls");
    if (!node) return;
    for (const auto& pair : read_pairs(*node, "sysctls", problems_)) {
      if (!is_own_sysctl(pair.key))
        problems_.add(pair.at, fmt::format("`{}` isn't a container's own: set it on the node (net.*, kernel.shm*, "
                                           "kernel.msg*, kernel.sem and fs.mqueue.* are)",
                                           pair.key));
      else if (pair.key.starts_with("net.") && container_.network_mode() == v1::HOST_NETWORK)
        problems_.add(
            pair.at, fmt::format("`{}` would change the node's network: remove it, or `network_mode: host`", pair.key));
      else if (!pair.key.starts_with("net.") && container_.ipc() == v1::OF_HOST)
        problems_.add(pair.at, fmt::format("`{}` would change the node: remove it, or `ipc: host`", pair.key));
      (*container_.mutable_sysctls())[pair.key] = pair.value.value_or("");
    }
  }

  static bool is_own_sysctl(std::string_view name) {
    return name.starts_with("net.") || name.starts_with("kernel.shm") || name.starts_with("kernel.msg") ||
           name == "kernel.sem" || name.starts_with("fs.mqueue.");
  }

  const Node& node_;
  v1::ContainerSpec& container_;
  Problems& problems_;
};

}  // namespace

void load_isolation(const Node& service, v1::ContainerSpec& container, LoadContext& context) {
  IsolationLoader(service, container, context).run();
}

}  // namespace orchion::spec
