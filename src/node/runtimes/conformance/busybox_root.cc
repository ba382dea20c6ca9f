#include "node/runtimes/conformance/busybox_root.h"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"

namespace orchion::node::runtimes {

TestFolder::TestFolder() {
  auto random = base::Random::from_system();
  path_ = std::filesystem::temp_directory_path() / ("orchion-runtime-" + random.text(12));
  std::filesystem::create_directory(path_);
}

TestFolder::~TestFolder() {
  const auto removed = base::remove_tree(path_);
  EXPECT_TRUE(removed.has_value()) << removed.error().message;
}

void make_busybox_root(const std::filesystem::path& folder) {
  for (const char* name : {"bin", "dev", "etc", "proc", "root", "sys", "tmp"})
    std::filesystem::create_directories(folder / name);
  ::chmod(folder.c_str(), 0755);
  ::chmod((folder / "tmp").c_str(), 01777);
  std::filesystem::copy_file("/bin/busybox", folder / "bin/busybox");
  for (const char* name : {"cat",   "chmod",  "chown", "echo",  "env",    "grep", "head", "hostname", "id", "ls",
                           "mkdir", "mkfifo", "mknod", "mount", "printf", "ps",   "pwd",  "seq",      "sh", "sleep",
                           "stat",  "stty",   "test",  "touch", "tr",     "true", "tty",  "unshare",  "wc"})
    std::filesystem::create_symlink("busybox", folder / "bin" / name);
  ASSERT_TRUE(base::write_file(folder / "etc/passwd",
                               "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n", 0644));
  ASSERT_TRUE(base::write_file(folder / "etc/group",
                               "root:x:0:\nuser:x:1000:\naudio:x:29:user\nvideo:x:44:user,other\n", 0644));
}

}  // namespace orchion::node::runtimes
