#include "node/runtimes/process/process_bundle_maker.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fmt/core.h>

#include "base/file.h"
#include "node/runtimes/bundle/container_user.h"
#include "node/runtimes/bundle/node_limits.h"
#include "node/runtimes/bundle/shim_image.h"
#include "node/runtimes/features.h"
#include "node/runtimes/process/program_record.h"
#include "node/shim/bundle.h"

namespace orchion::node::runtimes::process {

namespace {

using base::Code;
using base::Result;
using bundle::BundlePlace;

// By the node's own files.
Result<bundle::ContainerUser> find_user(const std::string& name, const std::vector<std::string>& additional_groups) {
  const auto passwd = base::read_file("/etc/passwd").value_or("");
  const auto group = base::read_file("/etc/group").value_or("");
  ASSIGN_OR_RETURN(auto user, bundle::resolve_user(name, passwd, group));
  for (const auto& further : additional_groups) {
    ASSIGN_OR_RETURN(const auto gid, bundle::resolve_group(further, group));
    user.additional_gids.push_back(gid);
  }
  return user;
}

Result<> write_strings(const std::filesystem::path& path, const std::vector<std::string>& strings) {
  ASSIGN_OR_RETURN(const auto text, join_strings(strings));
  return base::write_file(path, text, 0600);
}

// `added` over `given`.
std::vector<std::string> merge(std::vector<std::string> given, const std::vector<std::string>& added) {
  for (const auto& entry : added) {
    const auto prefix = entry.substr(0, entry.find('=')) + "=";
    std::erase_if(given, [&](const std::string& old) { return old.starts_with(prefix); });
    given.push_back(entry);
  }
  return given;
}

// What check_program refuses.
constexpr std::pair<std::string_view, std::string_view> kLacks[] = {
    {feature::kReadOnlyRoot, "its root is the node's"},
    {feature::kTmpfs, "it sees the node's files"},
    {feature::kShm, "its /dev/shm is the node's"},
    {feature::kSysctls, "they would be the whole node's"},
    {feature::kDevices, "it has the node's"},
    {feature::kHooks, "no OCI runtime starts it"},
    {feature::kOwnUsers, "its users are the node's"},
    {feature::kBlockRates, "only CPU, memory and processes are limited"},
    {feature::kBlockWeight, "only CPU, memory and processes are limited"}};

}  // namespace

Capabilities ProcessBundleMaker::capabilities() const {
  auto lacks = bundle::lacks_of_node(tree_.layout);
  for (const auto& [feature, why] : kLacks) lacks[std::string(feature)] = {std::string(why)};
  return {.name = "process",
          .version = "1",
          .survives_agent = true,
          .limits = true,
          .exec = true,
          .tty = true,
          .networks = false,
          .lacks = std::move(lacks)};
}

Result<> ProcessBundleMaker::check(const ContainerConfig& config) const {
  return check_program(config);
}

Result<> ProcessBundleMaker::fill(const BundlePlace& place, const ContainerConfig& config) {
  ASSIGN_OR_RETURN(const auto user, find_user(config.user, config.additional_groups));
  ASSIGN_OR_RETURN(const auto cgroups, plan_cgroups(tree_, place.cgroup, config.limits));
  ASSIGN_OR_RETURN(const auto record, program_record(config, user, cgroups));
  auto arguments = config.arguments;
  if (config.init) {
    const std::string init[] = {(place.shims / bundle::shim_file_name()).native(), "init"};
    arguments.insert(arguments.begin(), std::begin(init), std::end(init));
  }
  RETURN_IF_ERROR(write_strings(place.folder / shim::kArgumentsFile, arguments));
  RETURN_IF_ERROR(
      write_strings(place.folder / shim::kEnvironmentFile, program_environment(config.environment, config.tty)));
  return base::write_file(place.folder / shim::kProgramFile, record, 0600);
}

Result<> ProcessBundleMaker::refill(const BundlePlace&, const ContainerConfig&) {
  return {};
}

void ProcessBundleMaker::add_settings(const BundlePlace&, const ContainerConfig&, shim::RecordWriter& settings) const {
  settings.add(shim::setting::kIsProgram, 1);
}

Result<> ProcessBundleMaker::fill_exec(const BundlePlace& place, std::int64_t, const ExecConfig& config,
                                       const std::filesystem::path& folder) const {
  ASSIGN_OR_RETURN(const auto program, base::read_file(place.folder / shim::kProgramFile));
  ASSIGN_OR_RETURN(const auto environment, base::read_file(place.folder / shim::kEnvironmentFile));
  std::optional<bundle::ContainerUser> user;
  if (!config.user.empty()) {
    ASSIGN_OR_RETURN(user, find_user(config.user, {}));
  }
  ASSIGN_OR_RETURN(const auto record, exec_record(program, config, user));
  const auto merged = merge(split_strings(environment), config.environment);
  RETURN_IF_ERROR(write_strings(folder / shim::kArgumentsFile, config.arguments));
  RETURN_IF_ERROR(write_strings(folder / shim::kEnvironmentFile, program_environment(merged, config.tty)));
  return base::write_file(folder / shim::kProgramFile, record, 0600);
}

base::Error ProcessBundleMaker::start_failure(std::string_view report) const {
  const auto text = report.substr(report.find('\n') + 1);
  if (!report.starts_with(shim::kReportProgram)) return {Code::kInternal, std::string(text), {}};
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (number == ENOENT)
    return {Code::kNotFound,
            "the command does not exist on this node, or not in its PATH: install it there, or name one"
            " that does",
            {}};
  if (number == EACCES)
    return {Code::kPermissionDenied,
            "the command is not executable for its user on this node: set its mode, or name"
            " another",
            {}};
  return {Code::kInternal, fmt::format("the command could not be executed: {}", std::strerror(number)), {}};
}

}  // namespace orchion::node::runtimes::process
