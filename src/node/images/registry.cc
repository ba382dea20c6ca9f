#include "node/images/registry.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/core.h>

#include "base/process.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace fs = std::filesystem;

namespace {

constexpr auto kTransferLimit = std::chrono::hours(2);

bool has_any(std::string_view text, std::initializer_list<std::string_view> needles) {
  return std::any_of(needles.begin(), needles.end(),
                     [&](auto needle) { return text.find(needle) != std::string_view::npos; });
}

// skopeo wants a policy for signatures. One that the machine has is obeyed.
bool has_policy() {
  std::error_code error;
  if (fs::exists("/etc/containers/policy.json", error)) return true;
  const char* home = std::getenv("HOME");
  return home != nullptr && fs::exists(fs::path(home) / ".config/containers/policy.json", error);
}

// The message of the last log line: time="…" level=fatal msg="…".
std::string last_words(std::string_view talk) {
  while (talk.ends_with('\n')) talk.remove_suffix(1);
  if (const auto line = talk.rfind('\n'); line != std::string_view::npos) talk = talk.substr(line + 1);
  if (const auto message = talk.find("msg=\""); message != std::string_view::npos) talk = talk.substr(message + 5);
  if (talk.ends_with('"')) talk.remove_suffix(1);
  auto words = in_quotes(talk);
  return words.substr(1, words.size() - 2);
}

base::Result<> run_skopeo(std::vector<std::string> arguments, Direction direction,
                          const core::ImageReference& reference) {
  if (!has_policy()) arguments.insert(arguments.begin(), "--insecure-policy");
  arguments.insert(arguments.begin(), "skopeo");
  auto output = base::run_process({.arguments = std::move(arguments), .limit = kTransferLimit});
  if (!output && output.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kFailedPrecondition,
                      "registries are reached through skopeo, which is not installed: install it (on Debian: "
                      "apt-get install skopeo), or import images from files");
  if (!output) return std::unexpected(std::move(output).error());
  if (output->exit_code != 0) return std::unexpected(explain_failure(direction, reference, output->standard_error));
  return {};
}

base::Error refused(Direction direction, const core::ImageReference& reference) {
  if (direction == Direction::kPush)
    return {base::Code::kPermissionDenied,
            fmt::format("{} does not let you push {}: log in with `skopeo login {}`", reference.registry,
                        reference.text(), reference.registry),
            {}};
  return {base::Code::kPermissionDenied,
          fmt::format("{} does not let you have {}: check the name, or log in with `skopeo login {}`",
                      reference.registry, reference.text(), reference.registry),
          {}};
}

base::Error not_found(const core::ImageReference& reference) {
  return {base::Code::kNotFound,
          fmt::format("no registry has {0}: check the name, or import it with `orchion image import FILE {0}`",
                      reference.text()),
          {}};
}

base::Error unreachable(Direction direction, const core::ImageReference& reference, std::string_view talk) {
  const auto way_out =
      direction == Direction::kPull
          ? fmt::format("try again, or import it with `orchion image import FILE {}`", reference.text())
          : std::string("try again");
  return {base::Code::kUnavailable,
          fmt::format("the registry {} does not answer for {} ({}): {}", reference.registry, reference.text(),
                      last_words(talk), way_out),
          {}};
}

}  // namespace

base::Error explain_failure(Direction direction, const core::ImageReference& reference, std::string_view talk) {
  if (has_any(talk, {"no space left on device", "disk quota exceeded"})) return fail_disk(ENOSPC, "").error();
  if (direction == Direction::kPull &&
      has_any(talk, {"no image found in manifest list", "no image found in image index"}))
    return {base::Code::kNotFound,
            fmt::format("{} is not made for this machine's architecture: use an image that is, or another node",
                        reference.text()),
            {}};
  if (direction == Direction::kPull &&
      has_any(talk, {"manifest unknown", "name unknown", "repository name not known", "status 404", "StatusCode: 404"}))
    return not_found(reference);
  // Docker Hub says the same of what it hasn't and of what is private; a name of its own library is never private.
  if (direction == Direction::kPull && reference.registry == "docker.io" &&
      reference.repository.starts_with("library/") && has_any(talk, {"requested access to the resource is denied"}))
    return not_found(reference);
  if (has_any(talk, {"unauthorized", "authentication required", "access to the resource is denied", "access denied",
                     "status 401", "status 403", "invalid username/password", "StatusCode: 401", "StatusCode: 403"}))
    return refused(direction, reference);
  if (has_any(talk, {"toomanyrequests", "429 Too Many Requests"}))
    return {base::Code::kUnavailable,
            fmt::format("{} allows no more requests for now: wait, or log in with `skopeo login {}`",
                        reference.registry, reference.registry),
            {}};
  if (has_any(talk, {"x509:", "server gave HTTP response to HTTPS client"}))
    return {base::Code::kFailedPrecondition,
            fmt::format("{} is not trusted ({}): give it a certificate this machine trusts", reference.registry,
                        last_words(talk)),
            {}};
  return unreachable(direction, reference, talk);
}

base::Result<> fetch_image(const core::ImageReference& reference, const fs::path& folder,
                           const std::string& architecture, const fs::path& temp) {
  std::vector<std::string> arguments = {"--tmpdir",        temp.string(), "--override-os", "linux",
                                        "--override-arch", architecture,  "copy",          "--quiet"};
  // Elsewhere the machine's registries.conf decides.
  if (reference.on_loopback()) arguments.push_back("--src-tls-verify=false");
  arguments.insert(arguments.end(), {"docker://" + reference.text(), "dir:" + folder.string()});
  return run_skopeo(std::move(arguments), Direction::kPull, reference);
}

base::Result<> push_image(const fs::path& folder, const core::ImageReference& destination, bool plain_http,
                          const fs::path& temp) {
  std::vector<std::string> arguments = {"--tmpdir", temp.string(), "copy", "--quiet", "--preserve-digests"};
  if (plain_http || destination.on_loopback()) arguments.push_back("--dest-tls-verify=false");
  arguments.insert(arguments.end(), {"dir:" + folder.string(), "docker://" + destination.text()});
  return run_skopeo(std::move(arguments), Direction::kPush, destination);
}

}  // namespace orchion::node::images
