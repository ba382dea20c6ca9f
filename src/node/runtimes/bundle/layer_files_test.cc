#include "node/runtimes/bundle/layer_files.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "node/runtimes/conformance/busybox_root.h"

namespace orchion::node::runtimes::bundle {
namespace {

namespace fs = std::filesystem;
using base::Code;

class LayerFilesTest : public testing::Test {
 protected:
  LayerFilesTest() : low_(folder_.path() / "low"), high_(folder_.path() / "high") {
    fs::create_directories(low_ / "etc");
    fs::create_directories(high_);
    put(low_ / "etc/passwd", "low");
    put(folder_.path() / "secret", "the host's");
  }

  static void put(const fs::path& path, std::string_view text) {
    ASSERT_TRUE(base::write_file(path, text).has_value());
  }
  static void whiteout(const fs::path& path) { ASSERT_EQ(::mknod(path.c_str(), S_IFCHR, ::makedev(0, 0)), 0); }

  base::Result<std::string> read() { return read_layer_file({low_, high_}, "etc/passwd", 100); }
  void expect_not_found() {
    const auto found = read();
    ASSERT_FALSE(found.has_value()) << *found;
    EXPECT_EQ(found.error().code, Code::kNotFound);
  }

  TestFolder folder_;
  fs::path low_;
  fs::path high_;
};

TEST_F(LayerFilesTest, ALowerFileShowsThrough) {
  EXPECT_EQ(*read(), "low");
  fs::create_directories(high_ / "etc");
  EXPECT_EQ(*read(), "low") << "through a folder above it too";
}

TEST_F(LayerFilesTest, AnUpperFileHidesIt) {
  fs::create_directories(high_ / "etc");
  put(high_ / "etc/passwd", "high");
  EXPECT_EQ(*read(), "high");
}

TEST_F(LayerFilesTest, WhiteoutsAndOpaqueFoldersHideIt) {
  fs::create_directories(high_ / "etc");
  whiteout(high_ / "etc/passwd");
  expect_not_found();
  fs::remove(high_ / "etc/passwd");
  ASSERT_EQ(::setxattr((high_ / "etc").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  expect_not_found();
  fs::remove(high_ / "etc");
  whiteout(high_ / "etc");
  expect_not_found();
}

TEST_F(LayerFilesTest, LinksLeadAcrossLayersButNeverOut) {
  fs::create_directories(high_ / "etc");
  fs::create_symlink("/usr/lib/passwd", high_ / "etc/passwd");
  fs::create_directories(low_ / "usr/lib");
  put(low_ / "usr/lib/passwd", "by the link");
  EXPECT_EQ(*read(), "by the link");

  fs::remove(high_ / "etc/passwd");
  fs::create_symlink(folder_.path() / "secret", high_ / "etc/passwd");
  expect_not_found();
  fs::remove(high_ / "etc/passwd");
  fs::create_symlink("../../../../../../.." / (folder_.path() / "secret").relative_path(), high_ / "etc/passwd");
  expect_not_found();
  fs::remove(high_ / "etc/passwd");
  fs::create_symlink("passwd", high_ / "etc/passwd");
  expect_not_found();
}

TEST_F(LayerFilesTest, OnlyRegularFilesOfABoundedSizeAreRead) {
  fs::create_directories(high_ / "etc/passwd");
  expect_not_found();
  fs::remove(high_ / "etc/passwd");
  ASSERT_EQ(::mkfifo((high_ / "etc/passwd").c_str(), 0600), 0);
  expect_not_found();
  fs::remove(high_ / "etc/passwd");
  put(high_ / "etc/passwd", std::string(101, 'x'));
  EXPECT_EQ(read().error().code, Code::kResourceExhausted);
}

TEST_F(LayerFilesTest, BelowARootLinksStayThere) {
  EXPECT_EQ(*read_file_below(low_, "etc/passwd"), "low");
  fs::create_symlink("/etc/passwd", low_ / "etc/link");
  EXPECT_EQ(*read_file_below(low_, "etc/link"), "low");
  fs::create_symlink(folder_.path() / "secret", low_ / "etc/out");
  EXPECT_EQ(read_file_below(low_, "etc/out").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace orchion::node::runtimes::bundle
