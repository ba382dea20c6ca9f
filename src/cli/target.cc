#include "cli/target.h"

#include <filesystem>

#include "spec/file_system.h"

extern char** environ;

namespace orchion::cli {

namespace {

spec::Variables shell_environment() {
  spec::Variables variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string::npos) variables[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return variables;
}

spec::LoadOptions load_options(Context& context, const FileOptions& options) {
  spec::LoadOptions load;
  for (const auto& file : options.files) load.files.emplace_back(file);
  for (const auto& file : options.env_files) load.env_files.emplace_back(file);
  load.profiles = options.profiles;
  if (!options.project_folder.empty()) load.project_folder = options.project_folder;
  load.allow_outside_files = options.allow_outside_files;
  load.working_folder = std::filesystem::current_path();
  if (!context.options().stack.empty()) load.stack_name = context.options().stack;
  load.environment = shell_environment();
  return load;
}

}  // namespace

base::Result<spec::LoadedStack> load_stack(Context& context, const FileOptions& options) {
  const spec::DiskFileSystem disk;
  ASSIGN_OR_RETURN(auto loaded, spec::load(disk, load_options(context, options)));
  for (const auto& warning : loaded.warnings) context.say(warning);
  return loaded;
}

base::Result<std::string> find_stack(Context& context, const FileOptions& options) {
  if (!context.options().stack.empty()) return context.options().stack;
  const spec::DiskFileSystem disk;
  auto name = spec::find_stack_name(disk, load_options(context, options));
  if (!name && name.error().code == base::Code::kNotFound && options.files.empty())
    return base::fail(base::Code::kInvalidArgument,
                      "which stack? Name it with --stack, or run this beside its compose.yaml");
  // A file that is wrong isn't wrong use.
  if (!name && name.error().code == base::Code::kInvalidArgument) name.error().code = base::Code::kFailedPrecondition;
  return name;
}

base::Result<core::Address> find_address(Context& context, const std::string& what) {
  ASSIGN_OR_RETURN(auto address, core::parse_address(what));
  if (address.stack.empty()) {
    ASSIGN_OR_RETURN(address.stack, find_stack(context));
  }
  return address;
}

std::string task_reference(const core::Address& address) {
  if (address.slot == 0) return address.service;
  const auto name = core::slot_name(address.service, address.slot);
  return address.index ? core::slot_name(name, *address.index) : name;
}

}  // namespace orchion::cli
