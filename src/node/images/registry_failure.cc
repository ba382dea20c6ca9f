#include "node/images/registry_failure.h"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace {

bool has_any(std::string_view text, std::initializer_list<std::string_view> needles) {
  return std::any_of(needles.begin(), needles.end(),
                     [&](auto needle) { return text.find(needle) != std::string_view::npos; });
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

base::Error refused(Direction direction, const core::ImageReference& reference,
                    const std::filesystem::path& credentials) {
  const auto& registry = reference.registry;
  const auto doing = direction == Direction::kPush ? "push" : "have";
  if (!credentials.empty())
    return {base::Code::kPermissionDenied,
            fmt::format("{} does not let you {} {} with the credentials in {}: check the name, or log in again with "
                        "`orchion image login {}` on the node",
                        registry, doing, reference.text(), credentials.string(), registry),
            {}};
  return {base::Code::kPermissionDenied,
          fmt::format("{} does not let you {} {}: check the name, or log in with `orchion image login {}` on the node",
                      registry, doing, reference.text(), registry),
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

base::Error explain_stall(const core::ImageReference& reference, std::string_view waited) {
  return {base::Code::kUnavailable,
          fmt::format("the registry {} sent nothing of {} for {}: try again, or import it with "
                      "`orchion image import FILE {}`",
                      reference.registry, reference.text(), waited, reference.text()),
          {}};
}

base::Error explain_failure(Direction direction, const core::ImageReference& reference,
                            const std::filesystem::path& credentials, std::string_view talk) {
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
    return refused(direction, reference, credentials);
  if (has_any(talk, {"does not match provided manifest digest", "Digest did not match", "digest mismatch"}))
    return {base::Code::kDataLoss,
            fmt::format("the registry {} sent something else than {} ({}): tell who runs it, or fetch the image from "
                        "another",
                        reference.registry, reference.text(), last_words(talk)),
            {}};
  if (has_any(talk, {"toomanyrequests", "429 Too Many Requests"}))
    return {base::Code::kUnavailable,
            fmt::format("{} allows no more requests for now: wait, or log in with `orchion image login {}` on the node",
                        reference.registry, reference.registry),
            {}};
  if (has_any(talk, {"loading registries configuration"}))
    return {base::Code::kFailedPrecondition,
            fmt::format("the list of registries and mirrors cannot be used ({}): repair it", last_words(talk)),
            {}};
  if (has_any(talk, {"x509:", "server gave HTTP response to HTTPS client"}))
    return {base::Code::kFailedPrecondition,
            fmt::format("{} is not trusted ({}): give it a certificate this machine trusts", reference.registry,
                        last_words(talk)),
            {}};
  return unreachable(direction, reference, talk);
}

}  // namespace orchion::node::images
