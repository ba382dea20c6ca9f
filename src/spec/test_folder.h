#pragma once

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "spec/loader.h"

namespace orchion::spec {

// For tests: a folder /srv/shop with files in memory.
struct Folder {
  MemoryFileSystem files;
  LoadOptions options;

  Folder() {
    options.working_folder = "/srv/shop";
    options.environment = {{"HOME", "/home/me"}};
  }
  explicit Folder(std::string compose) : Folder() { add("compose.yaml", std::move(compose)); }

  // `name` is relative to the folder.
  Folder& add(const std::string& name, std::string text) {
    files.files[(std::filesystem::path("/srv/shop") / name).lexically_normal()] = std::move(text);
    return *this;
  }

  base::Result<LoadedStack> load() const { return spec::load(files, options); }
  std::string error() const {
    const auto stack = load();
    return stack ? "no error" : stack.error().message;
  }

  // The one service of that name; an empty one, and a failure, where there is none.
  v1::ServiceSpec service(const std::string& name) const {
    const auto stack = load();
    EXPECT_TRUE(stack) << stack.error().message;
    if (stack)
      for (const auto& service : stack->spec.services())
        if (service.name() == name) return service.spec();
    ADD_FAILURE() << "no service " << name;
    return {};
  }
};

inline v1::StackSpec loaded(const std::string& compose) {
  const auto stack = Folder(compose).load();
  EXPECT_TRUE(stack) << stack.error().message;
  return stack ? stack->spec : v1::StackSpec();
}

inline std::string error_of(const std::string& compose) {
  return Folder(compose).error();
}

}  // namespace orchion::spec
