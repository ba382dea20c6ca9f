#include "spec/merge.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <unordered_map>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

constexpr std::string_view kReset = "!reset";
constexpr std::string_view kOverride = "!override";

using Path = std::vector<std::string>;

enum class Rule {
  kPlain,     // by kind: maps merged, lists appended, the rest replaced
  kReplace,   // the later one
  kPairs,     // a map or a list of KEY=VALUE: merged by key
  kNames,     // a map or a list of keys: merged by key
  kUnique,    // a list (or a single text) without repetitions
  kByTarget,  // a list, the later one of equal target wins
  kBySecret,  // the same, short forms meant for /run/secrets
  kByConfig,  // the same, short forms meant for /
  kByPath,    // the same for what has a `path`, or begins with one before a colon
  kByPort,    // the same for ports
  kBySubnet,  // the same for address ranges
  kHosts,     // a map or a list of NAME=ADDRESS: a list without repetitions
  kLogging,   // another driver replaces the whole
  kLimit,     // a map, or one number for all of it: maps are merged, anything else replaces
  kBuild,     // a text is the map's `context`
};

struct PathRule {
  std::string_view pattern;  // `*` is any one key
  Rule rule;
};

constexpr PathRule kRules[] = {
    {"services.*.command", Rule::kReplace},
    {"services.*.entrypoint", Rule::kReplace},
    {"services.*.healthcheck.test", Rule::kReplace},
    {"services.*.gpus", Rule::kReplace},
    {"services.*.extends", Rule::kReplace},
    {"services.*.schedule", Rule::kReplace},
    {"services.*.environment", Rule::kPairs},
    {"services.*.labels", Rule::kPairs},
    {"services.*.annotations", Rule::kPairs},
    {"services.*.sysctls", Rule::kPairs},
    {"services.*.deploy.labels", Rule::kPairs},
    {"services.*.build", Rule::kBuild},
    {"services.*.build.args", Rule::kPairs},
    {"services.*.build.labels", Rule::kPairs},
    {"services.*.build.additional_contexts", Rule::kPairs},
    {"services.*.build.extra_hosts", Rule::kHosts},
    {"networks.*.labels", Rule::kPairs},
    {"volumes.*.labels", Rule::kPairs},
    {"secrets.*.labels", Rule::kPairs},
    {"configs.*.labels", Rule::kPairs},
    {"services.*.networks", Rule::kNames},
    {"services.*.models", Rule::kNames},
    {"services.*.depends_on", Rule::kNames},
    {"services.*.env_file", Rule::kUnique},
    {"services.*.label_file", Rule::kUnique},
    {"services.*.cap_add", Rule::kUnique},
    {"services.*.cap_drop", Rule::kUnique},
    {"services.*.device_cgroup_rules", Rule::kUnique},
    {"services.*.dns", Rule::kUnique},
    {"services.*.dns_opt", Rule::kUnique},
    {"services.*.dns_search", Rule::kUnique},
    {"services.*.expose", Rule::kUnique},
    {"services.*.external_links", Rule::kUnique},
    {"services.*.group_add", Rule::kUnique},
    {"services.*.links", Rule::kUnique},
    {"services.*.profiles", Rule::kUnique},
    {"services.*.security_opt", Rule::kUnique},
    {"services.*.volumes_from", Rule::kUnique},
    {"services.*.deploy.placement.constraints", Rule::kUnique},
    {"services.*.networks.*.aliases", Rule::kUnique},
    {"services.*.networks.*.link_local_ips", Rule::kUnique},
    {"services.*.extra_hosts", Rule::kHosts},
    {"services.*.logging", Rule::kLogging},
    {"services.*.ulimits.*", Rule::kLimit},
    {"services.*.tmpfs", Rule::kByPath},
    {"services.*.blkio_config.weight_device", Rule::kByPath},
    {"services.*.blkio_config.device_read_bps", Rule::kByPath},
    {"services.*.blkio_config.device_read_iops", Rule::kByPath},
    {"services.*.blkio_config.device_write_bps", Rule::kByPath},
    {"services.*.blkio_config.device_write_iops", Rule::kByPath},
    {"services.*.volumes", Rule::kByTarget},
    {"services.*.devices", Rule::kByTarget},
    {"services.*.configs", Rule::kByConfig},
    {"services.*.secrets", Rule::kBySecret},
    {"services.*.ports", Rule::kByPort},
    {"networks.*.ipam.config", Rule::kBySubnet},
};

bool matches(std::string_view pattern, const Path& path) {
  for (const auto& part : path) {
    const auto dot = pattern.find('.');
    const auto wanted = pattern.substr(0, dot);
    if (pattern.empty() || (wanted != "*" && wanted != part)) return false;
    pattern = dot == std::string_view::npos ? std::string_view() : pattern.substr(dot + 1);
  }
  return pattern.empty();
}

// A job is merged like a service.
Path as_service(const Path& path) {
  if (path.size() < 2 || path[0] != "x-orchion" || path[1] != "jobs") return path;
  Path result{"services"};
  result.insert(result.end(), path.begin() + 2, path.end());
  return result;
}

Rule rule_of(const Path& place) {
  const Path path = as_service(place);
  const auto it = std::ranges::find_if(kRules, [&](const PathRule& rule) { return matches(rule.pattern, path); });
  return it == std::end(kRules) ? Rule::kPlain : it->rule;
}

// ["A=1", "B"] as {A: "1", B: null}; `split` false: ["A=1"] as {"A=1": null}.
Node as_map(Node list, bool split) {
  if (!list.is_list()) return list;
  Node map{Node::Kind::kMap, list.at, list.tag};
  for (auto& item : list.items) {
    const auto equals = split ? item.text.find('=') : std::string::npos;
    Node value{Node::Kind::kNull, item.at};
    if (equals != std::string::npos) {
      value.kind = Node::Kind::kScalar;
      value.text = item.text.substr(equals + 1);
    }
    auto key = item.text.substr(0, equals);
    if (auto* present = map.find(key)) {
      *present = std::move(value);
    } else {
      map.entries.push_back({std::move(key), item.at, std::move(value)});
    }
  }
  return map;
}

// {name: address}, {name: [addresses]} and ["name:address"] as ["name=address"].
Node as_hosts(Node node) {
  if (!node.is_map()) {
    if (node.is_list())
      for (auto& item : node.items)
        if (const auto end = item.text.find_first_of("=:"); end != std::string::npos) item.text[end] = '=';
    return node;
  }
  Node list{Node::Kind::kList, node.at, node.tag};
  for (auto& entry : node.entries) {
    auto addresses = entry.value.is_list() ? std::move(entry.value.items) : std::vector<Node>{};
    if (!entry.value.is_list()) addresses.push_back(std::move(entry.value));
    for (auto& address : addresses) {
      address.text = entry.key + "=" + address.text;
      if (address.is_null()) address.kind = Node::Kind::kScalar;
      list.items.push_back(std::move(address));
    }
  }
  return list;
}

Node as_build(Node node) {
  if (!node.is_scalar()) return node;
  Node map{Node::Kind::kMap, node.at};
  const auto at = node.at;
  map.entries.push_back({"context", at, std::move(node)});
  return map;
}

Node as_list(Node node) {
  if (!node.is_scalar()) return node;
  Node list{Node::Kind::kList, node.at};
  list.items.push_back(std::move(node));
  return list;
}

std::string field(const Node& map, std::string_view key, std::string_view otherwise = "") {
  const auto* value = map.find(key);
  return value && value->is_scalar() ? value->text : std::string(otherwise);
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

// "source:target:ro" and "target" by their target.
std::string target_key(const Node& node) {
  if (node.is_map()) {
    const auto target = field(node, "target");
    return without_slash(target.empty() ? field(node, "source") : target);
  }
  const auto first = node.text.find(':');
  if (first == std::string::npos) return without_slash(node.text);
  return without_slash(node.text.substr(first + 1, node.text.find(':', first + 1) - first - 1));
}

// Where a secret or config lands: `folder` goes before what isn't a whole path.
std::string file_key(const Node& node, std::string_view folder) {
  auto name = node.is_map() ? field(node, "target", field(node, "source")) : node.text;
  return name.starts_with('/') ? name : fmt::format("{}{}", folder, name);
}

std::string port_key(const Node& node) {
  if (!node.is_map()) return node.text;
  return fmt::format("{}:{}:{}/{}", field(node, "host_ip"), field(node, "published"), field(node, "target"),
                     field(node, "protocol", "tcp"));
}

std::string item_key(Rule rule, const Node& item) {
  switch (rule) {
    case Rule::kByTarget: return target_key(item);
    case Rule::kBySecret: return file_key(item, "/run/secrets/");
    case Rule::kByConfig: return file_key(item, "/");
    case Rule::kByPath: return item.is_map() ? field(item, "path") : item.text.substr(0, item.text.find(':'));
    case Rule::kByPort: return port_key(item);
    case Rule::kBySubnet: return field(item, "subnet");
    default: return item.is_map() ? field(item, "path") : item.text;
  }
}

void append_unique(Node& base, Node over, Rule rule) {
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < base.items.size(); ++i) places.try_emplace(item_key(rule, base.items[i]), i);
  for (auto& item : over.items) {
    const auto [place, added] = places.try_emplace(item_key(rule, item), base.items.size());
    if (added) {
      base.items.push_back(std::move(item));
    } else {
      base.items[place->second] = std::move(item);
    }
  }
}

class Merger {
 public:
  explicit Merger(Problems& problems, Path path = {}) : problems_(problems), path_(std::move(path)) {}

  void merge(Node& base, Node over) {
    const Rule rule = rule_of(path_);
    if (replaces(rule, base, over)) {
      base = std::move(over);
      return;
    }
    if (over.is_null()) return;
    bring_into_shape(rule, base);
    bring_into_shape(rule, over);
    if (base.is_null()) {
      base = std::move(over);
    } else if (base.kind != over.kind) {
      problems_.add_final(over.at, fmt::format("{} can't be laid over {} at {}: write both the same way",
                                               over.describe(), base.describe(), base.at.text()));
    } else if (base.is_map()) {
      merge_maps(base, std::move(over));
    } else if (base.is_list()) {
      append(base, std::move(over), rule);
    } else {
      base = std::move(over);
    }
  }

 private:
  static bool replaces(Rule rule, const Node& base, const Node& over) {
    if (over.tag == kReset || over.tag == kOverride || base.tag == kReset) return true;
    if (rule == Rule::kLogging) return field(base, "driver") != field(over, "driver", field(base, "driver"));
    return rule == Rule::kReplace || (rule == Rule::kLimit && base.kind != over.kind);
  }

  static void bring_into_shape(Rule rule, Node& node) {
    if (rule == Rule::kPairs || rule == Rule::kNames) node = as_map(std::move(node), rule == Rule::kPairs);
    if (rule == Rule::kUnique || rule == Rule::kByPath) node = as_list(std::move(node));
    if (rule == Rule::kHosts) node = as_hosts(std::move(node));
    if (rule == Rule::kBuild) node = as_build(std::move(node));
  }

  static void append(Node& base, Node over, Rule rule) {
    if (rule != Rule::kPlain) return append_unique(base, std::move(over), rule);
    std::ranges::move(over.items, std::back_inserter(base.items));
  }

  void merge_maps(Node& base, Node over) {
    std::unordered_map<std::string, std::size_t> places;
    for (std::size_t i = 0; i < base.entries.size(); ++i) places.emplace(base.entries[i].key, i);
    for (auto& entry : over.entries) {
      const auto place = places.find(entry.key);
      if (place == places.end()) {
        base.entries.push_back(std::move(entry));
        continue;
      }
      path_.push_back(entry.key);
      merge(base.entries[place->second].value, std::move(entry.value));
      path_.pop_back();
    }
  }

  Problems& problems_;
  Path path_;
};

}  // namespace

void merge_into(Node& base, Node over, Problems& problems) {
  Merger(problems).merge(base, std::move(over));
}

void merge_service(Node& base, Node over, Problems& problems) {
  Merger(problems, {"services", "*"}).merge(base, std::move(over));
}

void resolve_tags(Node& root, Problems& problems) {
  const auto is_reset = [](const Node& node) { return node.tag == kReset; };
  std::erase_if(root.items, is_reset);
  std::erase_if(root.entries, [&](const Node::Entry& entry) { return is_reset(entry.value); });
  if (!root.tag.empty() && root.tag != kOverride)
    problems.add_final(
        root.at, fmt::format("the tag `{}` isn't known here: remove it (there are !reset and !override)", root.tag));
  root.tag.clear();
  for (auto& item : root.items) resolve_tags(item, problems);
  for (auto& entry : root.entries)
    if (!is_extension(entry.key) || entry.key == kOwnExtension) resolve_tags(entry.value, problems);
}

}  // namespace orchion::spec
