#include "cli/container_options.h"

#include <cctype>
#include <cstdlib>
#include <filesystem>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include "cli/value_check.h"
#include "core/quantities.h"
#include "spec/mount_syntax.h"

namespace orchion::cli {

namespace {

void set_variable(const std::string& text, v1::ContainerSpec& container) {
  const auto equals = text.find('=');
  const auto name = text.substr(0, equals);
  const char* of_shell = equals == std::string::npos ? std::getenv(name.c_str()) : nullptr;
  if (equals == std::string::npos && of_shell == nullptr) return;
  const std::string value = of_shell != nullptr ? of_shell : text.substr(equals + 1);
  for (auto& variable : *container.mutable_environment()) {
    if (variable.name() == name) return variable.set_value(value);
  }
  auto& added = *container.add_environment();
  added.set_name(name);
  added.set_value(value);
}

base::Result<> set_limits(const ContainerOptions& options, v1::ContainerSpec& container) {
  if (!options.memory.empty()) {
    ASSIGN_OR_RETURN(const auto bytes, core::parse_bytes(options.memory));
    container.mutable_limits()->set_memory_bytes(bytes);
  }
  if (!options.cpus.empty()) {
    ASSIGN_OR_RETURN(const auto cpus, core::parse_cpus(options.cpus));
    container.mutable_limits()->set_nano_cpus(cpus);
  }
  return {};
}

base::Result<> add_mounts(const std::vector<std::string>& mounts, v1::ContainerSpec& container) {
  const char* home = std::getenv("HOME");
  const spec::HostFolders folders{std::filesystem::current_path(), home == nullptr ? "" : home};
  for (const auto& text : mounts) {
    ASSIGN_OR_RETURN(auto mount, spec::parse_mount(text, folders));
    if (mount.type() == v1::Mount::VOLUME)
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("-v {}: a volume belongs to a Compose file; name a folder, which begins with ./ or "
                                    "/, or write a compose.yaml",
                                    text));
    *container.add_mounts() = std::move(mount);
  }
  return {};
}

}  // namespace

void add_container_options(CLI::App* command, ContainerOptions& options) {
  command->add_option("-e,--env", options.environment, "NAME=VALUE, or NAME for this shell's value")
      ->allow_extra_args(false)
      ->check(check_variable);
  command->add_option("-v,--volume", options.mounts, "FOLDER:TARGET[:ro]")->allow_extra_args(false);
  command->add_option("-u,--user", options.user, "As this user");
  command->add_option("-w,--workdir", options.working_dir, "In this folder");
  command->add_option("--entrypoint", options.entrypoint, "Instead of the image's");
  command->add_option("-m,--memory", options.memory, "Limit, as 512m")->check(check_memory);
  command->add_option("--cpus", options.cpus, "Limit, as 1.5")->check(check_cpus);
}

std::string first_container_option(const ContainerOptions& options) {
  if (!options.environment.empty()) return "-e";
  if (!options.mounts.empty()) return "-v";
  if (!options.user.empty()) return "-u";
  if (!options.working_dir.empty()) return "-w";
  if (!options.entrypoint.empty()) return "--entrypoint";
  if (!options.memory.empty()) return "-m";
  if (!options.cpus.empty()) return "--cpus";
  return options.command.empty() ? "" : options.command.front();
}

base::Result<> apply_container_options(const ContainerOptions& options, v1::ContainerSpec& container) {
  if (!options.command.empty()) {
    container.mutable_command()->clear_values();
    for (const auto& word : options.command) container.mutable_command()->add_values(word);
  }
  if (!options.entrypoint.empty()) {
    container.mutable_entrypoint()->clear_values();
    container.mutable_entrypoint()->add_values(options.entrypoint);
  }
  if (!options.user.empty()) container.set_user(options.user);
  if (!options.working_dir.empty()) container.set_working_dir(options.working_dir);
  for (const auto& variable : options.environment) set_variable(variable, container);
  RETURN_IF_ERROR(set_limits(options, container));
  return add_mounts(options.mounts, container);
}

std::string short_image_name(const std::string& image) {
  std::string name = image.substr(image.rfind('/') == std::string::npos ? 0 : image.rfind('/') + 1);
  name = name.substr(0, name.find_first_of(":@"));
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? static_cast<char>(std::tolower(c)) : '-';
  return name;
}

}  // namespace orchion::cli
