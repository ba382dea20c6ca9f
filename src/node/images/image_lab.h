#pragma once

// For this room's tests: a store of images in a temporary folder, and root file systems to put into it.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/io_context.hpp>

#include "base/process.h"
#include "node/images/image_store.h"
#include "node/images/test_support.h"

namespace orchion::node::images {

inline std::string busybox_root() {
  TarMaker tar;
  tar.folder("./").folder("./bin").folder("./etc").folder("./tmp", {.mode = 01777});
  tar.file("./bin/busybox", base::read_file("/bin/busybox").value(), {.mode = 0755});
  tar.symlink("./bin/sh", "busybox").file("./etc/passwd", "root:x:0:0::/:/bin/sh\n");
  return tar.finish();
}

inline std::string small_root(const std::string& content, Compression compression = Compression::kNone) {
  TarMaker tar(compression);
  tar.folder("etc").file("etc/content", content);
  return tar.finish();
}

class ImageStoreTest : public testing::Test {
 protected:
  ImageStoreTest() { reopen(); }

  void reopen() {
    images_.reset();
    options_.folder = store();
    options_.architecture = "amd64";
    auto opened = ImageStore::open(io_.get_executor(), *workers_, options_);
    if (!opened) throw std::runtime_error(opened.error().message);
    images_ = *std::move(opened);
  }

  std::filesystem::path store() const { return folder_ / "store"; }

  base::Result<ImageRecord> import(const std::string& name, const std::string& archive) {
    return run(io_, images_->import(name, std::make_shared<StringSource>(archive)));
  }

  static std::size_t count(const std::filesystem::path& folder) {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
  }

  // Nothing but the folders themselves.
  void expect_empty() {
    for (const char* name : {"blobs/sha256", "layers", "references", "temp"})
      EXPECT_EQ(count(store() / name), 0u) << name;
  }

  // `skopeo` runs one of its transports over another.
  static void skopeo(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"skopeo", "copy", "--quiet"});
    const auto done = base::run_checked({.arguments = std::move(arguments)});
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  TestFolder folder_;
  ImageStoreOptions options_;  // reopen() after changes
  boost::asio::io_context io_;
  std::unique_ptr<base::WorkerPool> workers_ = std::make_unique<base::WorkerPool>(2);
  std::unique_ptr<ImageStore> images_;
};

}  // namespace orchion::node::images
