// Docker's profile format in, the OCI specification's out. The JSON half of seccomp.h.

#include <algorithm>

#include <fmt/core.h>
#include <boost/json.hpp>

#include "node/runtimes/bundle/seccomp.h"

namespace orchion::node::runtimes::bundle {

namespace {

namespace json = boost::json;

// Go's names against libseccomp's.
constexpr struct {
  std::string_view go;
  std::string_view seccomp;
} kArchitectures[] = {{"amd64", "SCMP_ARCH_X86_64"}, {"arm64", "SCMP_ARCH_AARCH64"},   {"arm", "SCMP_ARCH_ARM"},
                      {"386", "SCMP_ARCH_X86"},      {"ppc64le", "SCMP_ARCH_PPC64LE"}, {"riscv64", "SCMP_ARCH_RISCV64"},
                      {"s390x", "SCMP_ARCH_S390X"}};

const json::value* member(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && !value->is_null() ? value : nullptr;
}

std::vector<std::string> strings(const json::object& object, std::string_view name) {
  std::vector<std::string> result;
  if (const auto* list = member(object, name)) {
    for (const auto& item : list->as_array()) result.emplace_back(item.as_string());
  }
  return result;
}

std::string text(const json::object& object, std::string_view name) {
  const auto* value = member(object, name);
  return value != nullptr ? std::string(value->as_string()) : std::string();
}

std::uint64_t number(const json::object& object, std::string_view name, std::uint64_t fallback) {
  const auto* value = member(object, name);
  return value != nullptr ? value->to_number<std::uint64_t>() : fallback;
}

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

struct Host {
  const std::vector<std::string>& capabilities;
  std::string_view architecture;
};

// Every condition of "includes" must hold; none of "excludes" may. Kernel versions (minKernel) all predate ours.
bool applies(const json::object& rule, const Host& host) {
  if (const auto* includes = member(rule, "includes")) {
    const auto arches = strings(includes->as_object(), "arches");
    if (!arches.empty() && !contains(arches, host.architecture)) return false;
    for (const auto& capability : strings(includes->as_object(), "caps")) {
      if (!contains(host.capabilities, capability)) return false;
    }
  }
  if (const auto* excludes = member(rule, "excludes")) {
    if (contains(strings(excludes->as_object(), "arches"), host.architecture)) return false;
    for (const auto& capability : strings(excludes->as_object(), "caps")) {
      if (contains(host.capabilities, capability)) return false;
    }
  }
  return true;
}

SeccompRule to_rule(const json::object& rule) {
  SeccompRule result;
  result.names = strings(rule, "names");
  if (auto name = text(rule, "name"); !name.empty()) result.names.push_back(std::move(name));
  result.action = text(rule, "action");
  result.error_number = static_cast<std::uint32_t>(number(rule, "errnoRet", 1));
  if (const auto* arguments = member(rule, "args")) {
    for (const auto& item : arguments->as_array()) {
      const auto& argument = item.as_object();
      result.arguments.push_back({static_cast<std::uint32_t>(number(argument, "index", 0)),
                                  number(argument, "value", 0), number(argument, "valueTwo", 0), text(argument, "op")});
    }
  }
  return result;
}

std::vector<std::string> architectures(const json::object& profile, std::string_view host) {
  std::string_view wanted;
  for (const auto& [go, seccomp] : kArchitectures) {
    if (go == host) wanted = seccomp;
  }
  std::vector<std::string> result{std::string(wanted)};
  if (const auto* map = member(profile, "archMap")) {
    for (const auto& item : map->as_array()) {
      const auto& entry = item.as_object();
      if (text(entry, "architecture") != wanted) continue;
      for (auto& sub : strings(entry, "subArchitectures")) result.push_back(std::move(sub));
    }
  }
  return result;
}

}  // namespace

std::string_view host_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#elif defined(__arm__)
  return "arm";
#elif defined(__i386__)
  return "386";
#elif defined(__powerpc64__)
  return "ppc64le";
#elif defined(__s390x__)
  return "s390x";
#else
  return "riscv64";
#endif
}

base::Result<SeccompFilter> translate_seccomp_profile(std::string_view profile_json,
                                                      const std::vector<std::string>& capabilities,
                                                      std::string_view architecture) try {
  const auto parsed = json::parse(json::string_view(profile_json.data(), profile_json.size()));
  const auto& profile = parsed.as_object();
  SeccompFilter filter;
  filter.default_action = text(profile, "defaultAction");
  filter.default_error_number = static_cast<std::uint32_t>(number(profile, "defaultErrnoRet", 1));
  filter.architectures = architectures(profile, architecture);
  const Host host{capabilities, architecture};
  for (const auto& item : profile.at("syscalls").as_array()) {
    if (!applies(item.as_object(), host)) continue;
    auto rule = to_rule(item.as_object());
    if (!rule.names.empty()) filter.rules.push_back(std::move(rule));
  }
  if (filter.default_action.empty() || filter.rules.empty())
    return base::fail(base::Code::kInvalidArgument, "the seccomp profile has no rules: reinstall its package");
  return filter;
} catch (const std::exception& e) {
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("the seccomp profile cannot be read ({}): reinstall its package", e.what()));
}

std::string seccomp_json(const SeccompFilter& filter) {
  json::array rules;
  for (const auto& rule : filter.rules) {
    json::object out{{"names", json::value_from(rule.names)}, {"action", rule.action}};
    if (rule.action == "SCMP_ACT_ERRNO") out["errnoRet"] = rule.error_number;
    json::array arguments;
    for (const auto& argument : rule.arguments)
      arguments.push_back(json::object{
          {"index", argument.index}, {"value", argument.value}, {"valueTwo", argument.value_two}, {"op", argument.op}});
    if (!arguments.empty()) out["args"] = std::move(arguments);
    rules.push_back(std::move(out));
  }
  return json::serialize(json::object{{"defaultAction", filter.default_action},
                                      {"defaultErrnoRet", filter.default_error_number},
                                      {"architectures", json::value_from(filter.architectures)},
                                      {"syscalls", std::move(rules)}});
}

}  // namespace orchion::node::runtimes::bundle
