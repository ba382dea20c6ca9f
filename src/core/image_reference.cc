#include "core/image_reference.h"

#include <algorithm>

#include <fmt/core.h>

namespace orchion::core {

namespace {

bool is_hex_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_digest(std::string_view text) {
  return text.starts_with("sha256:") && is_hex_sha256(text.substr(7));
}

bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

// Runs of a-z0-9 joined by ".", "_", "__" or any number of "-".
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  for (std::size_t i = 0; i < text.size();) {
    if (is_lower_alnum(text[i])) {
      ++i;
      continue;
    }
    const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(), is_lower_alnum);
    const auto joint = text.substr(i, static_cast<std::size_t>(end - text.begin()) - i);
    if (joint != "." && joint != "_" && joint != "__" && joint.find_first_not_of('-') != std::string_view::npos)
      return false;
    i += joint.size();
  }
  return true;
}

bool is_path(std::string_view text) {
  while (true) {
    const auto slash = text.find('/');
    if (!is_path_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_tag(std::string_view text) {
  return !text.empty() && text.size() <= 128 && is_word(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "example.com", "localhost:5000", "[::1]:5000"
bool is_registry(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    if (text.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:") != std::string_view::npos) return false;
    const auto rest = text.substr(end + 1);
    return rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)));
  }
  const auto colon = text.find(':');
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  const auto host = text.substr(0, colon);
  return !host.empty() && host.front() != '.' && host.front() != '-' && host.back() != '.' && host.back() != '-' &&
         host.find("..") == std::string_view::npos &&
         std::all_of(host.begin(), host.end(), [](char c) { return (is_word(c) && c != '_') || c == '.' || c == '-'; });
}

// What stands before the first slash is a registry if it can't be a path of Docker Hub's.
bool looks_like_registry(std::string_view text) {
  return text == "localhost" || text.find_first_of(".:[") != std::string_view::npos ||
         std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::string printable(std::string_view text) {
  std::string result(text.substr(0, 200));
  for (char& c : result) {
    if (c < ' ' || c == 127) c = '?';
  }
  return result;
}

std::unexpected<base::Error> refuse(std::string_view text, std::string_view why) {
  return base::fail(base::Code::kInvalidArgument,
                    fmt::format("\"{}\" is not the name of an image: {}", printable(text), why));
}

}  // namespace

bool ImageReference::on_loopback() const {
  if (registry.starts_with("[::1]")) return true;
  const auto host = registry.substr(0, registry.find(':'));
  return host == "localhost" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

base::Result<ImageReference> parse_image_reference(std::string_view text) {
  ImageReference result;
  auto rest = text;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    result.digest = rest.substr(at + 1);
    if (!is_digest(result.digest)) return refuse(text, "what follows the @ must be sha256: and 64 digits of a-f0-9");
    rest = rest.substr(0, at);
  }
  if (const auto slash = rest.find('/');
      slash != std::string_view::npos && looks_like_registry(rest.substr(0, slash))) {
    result.registry = rest.substr(0, slash);
    rest = rest.substr(slash + 1);
    if (!is_registry(result.registry)) return refuse(text, "the registry must be a host name, with :PORT or without");
  }
  if (const auto colon = rest.rfind(':'); colon != std::string_view::npos) {
    result.tag = rest.substr(colon + 1);
    if (!is_tag(result.tag)) return refuse(text, "a tag is up to 128 letters, digits, dots, dashes and underscores");
    rest = rest.substr(0, colon);
  }
  if (result.registry.empty() || result.registry == "index.docker.io") result.registry = "docker.io";
  if (!is_path(rest))
    return refuse(text, "the name is small letters and digits, joined by single dots, dashes, underscores and slashes");
  if (is_hex_sha256(rest)) return refuse(text, "it is an id; use NAME@sha256:… instead");
  result.repository = rest;
  if (result.registry == "docker.io" && rest.find('/') == std::string_view::npos)
    result.repository = "library/" + result.repository;
  if (result.name().size() > 255) return refuse(text, "it is longer than 255 characters");
  if (!result.digest.empty()) {
    result.tag.clear();
  } else if (result.tag.empty()) {
    result.tag = "latest";
  }
  return result;
}

base::Result<std::string> normalise_image(std::string_view text) {
  ASSIGN_OR_RETURN(const auto parsed, parse_image_reference(text));
  return parsed.text();
}

std::string familiar_image(std::string_view normal) {
  for (const std::string_view prefix : {"docker.io/library/", "docker.io/"})
    if (normal.starts_with(prefix)) return std::string(normal.substr(prefix.size()));
  return std::string(normal);
}

}  // namespace orchion::core
