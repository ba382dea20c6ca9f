#include "node/images/skopeo.h"

#include <cstdlib>

#include "base/file.h"
#include "base/process.h"
#include "node/images/credentials.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

// skopeo wants a policy for signatures. One that the machine has is obeyed.
bool has_policy() {
  std::error_code error;
  if (fs::exists("/etc/containers/policy.json", error)) return true;
  const char* home = std::getenv("HOME");
  return home != nullptr && fs::exists(fs::path(home) / ".config/containers/policy.json", error);
}

}  // namespace

base::Result<Skopeo> Skopeo::prepare(const RegistryFiles& files, Direction direction,
                                     const core::ImageReference& reference, const fs::path& temp) {
  Skopeo skopeo;
  skopeo.direction_ = direction;
  skopeo.reference_ = reference;
  skopeo.temp_ = temp;
  skopeo.authfile_ = temp / "auth.json";
  std::error_code error;
  if (!files.mirrors.empty() && fs::exists(files.mirrors, error)) skopeo.mirrors_ = files.mirrors;
  ASSIGN_OR_RETURN(auto credentials, find_credentials(credential_paths(files.credentials), reference.registry));
  RETURN_IF_ERROR(base::write_file(skopeo.authfile_, credentials.document, 0600));
  skopeo.credentials_source_ = std::move(credentials.source);
  return skopeo;
}

base::Result<std::string> Skopeo::run(Call call) const {
  std::vector<std::string> arguments = {"skopeo", "--tmpdir", temp_.string()};
  if (!has_policy()) arguments.push_back("--insecure-policy");
  if (!mirrors_.empty()) arguments.insert(arguments.end(), {"--registries-conf", mirrors_.string()});
  arguments.insert(arguments.end(), {call.command, "--authfile", authfile_.string()});
  arguments.insert(arguments.end(), call.arguments.begin(), call.arguments.end());
  auto output =
      base::run_process({.arguments = std::move(arguments), .limit = call.limit, .watch = std::move(call.watch)});
  if (!output && output.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kFailedPrecondition,
                      "registries are reached through skopeo, which is not installed: install it (on Debian: "
                      "apt-get install skopeo), or import images from files");
  if (!output) return std::unexpected(std::move(output).error());
  if (output->exit_code != 0)
    return std::unexpected(explain_failure(direction_, reference_, credentials_source_, output->standard_error));
  return std::move(output->standard_output);
}

}  // namespace orchion::node::images
