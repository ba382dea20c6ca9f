#pragma once

// Credentials for registries, as Docker and skopeo keep them, and as skopeo takes them: one JSON document. What is in
// it goes into files of mode 0600 only, never into arguments, logs or errors.
// Sources: https://docs.docker.com/reference/cli/docker/login (config.json, credential helpers),
// https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::node::images {

// One file of them, parsed. Registries are called as in images' names: "docker.io", never its API's address.
struct CredentialFile {
  struct Entry {
    std::string registry;        // "ghcr.io", also "quay.io/team"
    std::string auth;            // base64 of "user:password"; empty: known, but kept elsewhere
    std::string identity_token;  // may be empty
  };
  struct Helper {
    std::string registry;
    std::string name;  // of the program docker-credential-NAME
  };
  std::filesystem::path path;
  std::vector<Entry> entries;
  std::vector<Helper> helpers;
  std::string store;  // the helper for everything else; may be empty
};

// kFailedPrecondition names the file, and nothing of what is in it.
base::Result<CredentialFile> parse_credentials(const std::filesystem::path& path, std::string_view text);

// Where they are looked for, the first first: `own`, skopeo's file, then Docker's of the user this process runs as.
std::vector<std::filesystem::path> credential_paths(const std::filesystem::path& own);

struct Credentials {
  std::string document;          // for `skopeo --authfile`
  std::filesystem::path source;  // the file that has those of the registry asked for; empty: none has
};

// Reads the files, those that exist, and runs the credential helper that one names for `registry`. Those of other
// registries are in the document too: a mirror may need them. Blocks. The first file that has a registry decides.
base::Result<Credentials> find_credentials(const std::vector<std::filesystem::path>& paths, std::string_view registry);

}  // namespace orchion::node::images
