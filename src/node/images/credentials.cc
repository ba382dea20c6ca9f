#include "node/images/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include <fmt/core.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <unistd.h>
#include <boost/json.hpp>

#include "base/file.h"
#include "base/process.h"
#include "node/images/disk_error.h"

namespace orchion::node::images {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;
constexpr auto kHelperLimit = std::chrono::seconds(30);
constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubKey = "https://index.docker.io/v1/";  // what Docker calls it in its files
constexpr std::string_view kTokenUser = "<token>";

std::unexpected<base::Error> unusable(const fs::path& path, std::string_view why) {
  return base::fail(base::Code::kFailedPrecondition,
                    fmt::format("the credentials in {} cannot be used ({}): repair the file", path.string(), why));
}

// "https://ghcr.io/v2/" → "ghcr.io".
std::string registry_of(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.remove_prefix(scheme.size());
    key = key.substr(0, key.find('/'));
  }
  while (key.ends_with('/')) key.remove_suffix(1);
  for (const std::string_view api : {"/v1", "/v2"})
    if (key.ends_with(api)) key.remove_suffix(api.size());
  if (key == "index.docker.io" || key == "registry-1.docker.io") key = kDockerHub;
  return std::string(key);
}

std::string base64(std::string_view bytes) {
  std::string result(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  result.resize(static_cast<std::size_t>(size));
  return result;
}

std::string text_field(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  return value && value->is_string() ? json::value_to<std::string>(*value) : std::string();
}

const json::object* object_field(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains({name.data(), name.size()});
  return value ? value->if_object() : nullptr;
}

// A helper's name becomes that of a program: it must lead nowhere else.
bool is_helper_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

CredentialFile::Entry parse_entry(std::string_view key, const json::object& object) {
  CredentialFile::Entry entry{registry_of(key), text_field(object, "auth"), text_field(object, "identitytoken")};
  const auto user = text_field(object, "username");
  if (entry.auth.empty() && !user.empty()) entry.auth = base64(user + ":" + text_field(object, "password"));
  if (entry.auth.empty() && !entry.identity_token.empty()) entry.auth = base64(std::string(kTokenUser) + ":");
  return entry;
}

fs::path home_folder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return home;
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  if (::getpwuid_r(::geteuid(), &entry, buffer, sizeof buffer, &found) != 0 || found == nullptr) return {};
  return found->pw_dir;
}

// What the helper says of a registry; nullopt: it knows none. Its output is a secret, its errors may quote one.
base::Result<std::optional<CredentialFile::Entry>> ask_helper(const fs::path& file, const std::string& name,
                                                              const std::string& registry) {
  const auto program = "docker-credential-" + name;
  const auto key = registry == kDockerHub ? std::string(kDockerHubKey) : registry;
  auto output = base::run_process({.arguments = {program, "get"}, .standard_input = key + "\n", .limit = kHelperLimit});
  if (!output && output.error().code == base::Code::kNotFound)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("{} keeps the credentials for {} in {}, which is not installed: install it, or log "
                                  "in with `orchion image login {}`",
                                  file.string(), registry, in_quotes(program), registry));
  const auto failed = [&] {
    return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("{}, which {} names for {}, gives no credentials: log in again where it keeps them, or with "
                    "`orchion image login {}`",
                    in_quotes(program), file.string(), registry, registry));
  };
  if (!output) return failed();
  if (output->exit_code != 0) {
    // Source: https://github.com/docker/docker-credential-helpers/blob/master/credentials/error.go
    const auto said = output->standard_output + output->standard_error;
    if (said.find("credentials not found") != std::string::npos) return std::nullopt;
    return failed();
  }
  boost::system::error_code error;
  const auto value = json::parse(output->standard_output, error);
  if (error || !value.is_object()) return failed();
  const auto user = text_field(value.as_object(), "Username");
  const auto secret = text_field(value.as_object(), "Secret");
  if (user.empty() && secret.empty()) return std::nullopt;
  if (user == kTokenUser) return CredentialFile::Entry{registry, base64(user + ":"), secret};
  return CredentialFile::Entry{registry, base64(user + ":" + secret), ""};
}

// What one file has for `registry`: as Docker decides, a helper for it before what is written there, the store last.
base::Result<std::optional<CredentialFile::Entry>> look_up(const CredentialFile& file, const std::string& registry) {
  for (const auto& helper : file.helpers)
    if (helper.registry == registry) return ask_helper(file.path, helper.name, registry);
  for (const auto& entry : file.entries)
    if (entry.registry == registry && !entry.auth.empty()) return entry;
  if (!file.store.empty()) return ask_helper(file.path, file.store, registry);
  return std::nullopt;
}

// The first file's word counts, so what is there already stays.
class Document {
 public:
  void add(const CredentialFile::Entry& entry) {
    json::object object{{"auth", entry.auth}};
    if (!entry.identity_token.empty()) object["identitytoken"] = entry.identity_token;
    if (!helpers_.contains(entry.registry)) auths_.emplace(entry.registry, std::move(object));
  }
  void add_helper(const std::string& registry, const std::string& name) {
    if (!auths_.contains(registry)) helpers_.emplace(registry, name);
  }
  // What Docker left empty is in its store; skopeo asks for one registry at a time only.
  void add_all(const CredentialFile& file) {
    for (const auto& helper : file.helpers) add_helper(helper.registry, helper.name);
    for (const auto& entry : file.entries) {
      if (!entry.auth.empty()) {
        add(entry);
      } else if (!file.store.empty()) {
        add_helper(entry.registry, file.store);
      }
    }
  }
  // Without `registry` from a helper: it was asked, and has none.
  std::string text(const std::string& registry) {
    helpers_.erase(registry);
    return json::serialize(json::object{{"auths", std::move(auths_)}, {"credHelpers", std::move(helpers_)}});
  }

 private:
  json::object auths_;
  json::object helpers_;
};

}  // namespace

base::Result<CredentialFile> parse_credentials(const fs::path& path, std::string_view text) {
  CredentialFile result;
  result.path = path;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return result;
  boost::system::error_code error;
  const auto value = json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return unusable(path, "it is no JSON object");
  const auto& object = value.as_object();
  if (const auto* auths = object_field(object, "auths")) {
    for (const auto& [key, entry] : *auths)
      if (entry.is_object()) result.entries.push_back(parse_entry({key.data(), key.size()}, entry.as_object()));
  }
  if (const auto* helpers = object_field(object, "credHelpers")) {
    for (const auto& [key, name] : *helpers) {
      if (!name.is_string() || !is_helper_name(json::value_to<std::string>(name)))
        return unusable(path, "credHelpers names no program");
      result.helpers.push_back({registry_of({key.data(), key.size()}), json::value_to<std::string>(name)});
    }
  }
  result.store = text_field(object, "credsStore");
  if (!result.store.empty() && !is_helper_name(result.store)) return unusable(path, "credsStore names no program");
  return result;
}

std::vector<fs::path> credential_paths(const fs::path& own) {
  std::vector<fs::path> result;
  if (!own.empty()) result.push_back(own);
  // Where `skopeo login` writes.
  if (const char* file = std::getenv("REGISTRY_AUTH_FILE"); file != nullptr && *file != '\0') {
    result.emplace_back(file);
  } else if (const char* run = std::getenv("XDG_RUNTIME_DIR"); run != nullptr && *run != '\0') {
    result.push_back(fs::path(run) / "containers/auth.json");
  } else {
    result.emplace_back(fmt::format("/run/containers/{}/auth.json", ::geteuid()));
  }
  const char* docker = std::getenv("DOCKER_CONFIG");
  const bool is_named = docker != nullptr && *docker != '\0';
  const auto home = home_folder();
  if (is_named) result.push_back(fs::path(docker) / "config.json");
  if (!is_named && !home.empty()) result.push_back(home / ".docker/config.json");
  return result;
}

base::Result<Credentials> find_credentials(const std::vector<fs::path>& paths, std::string_view registry) {
  const std::string wanted(registry);
  Credentials result;
  Document document;
  for (const auto& path : paths) {
    auto text = base::read_file(path, kFileBytesMax);
    if (!text && text.error().code == base::Code::kNotFound) continue;
    if (!text) return unusable(path, "it cannot be read");
    ASSIGN_OR_RETURN(const auto file, parse_credentials(path, *text));
    if (result.source.empty()) {
      ASSIGN_OR_RETURN(const auto found, look_up(file, wanted));
      if (found) {
        document.add(*found);
        result.source = path;
      }
    }
    document.add_all(file);
  }
  result.document = document.text(wanted);
  return result;
}

}  // namespace orchion::node::images
