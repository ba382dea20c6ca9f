#include <csignal>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/process.h"
#include "base/random.h"
#include "node/files/copies.h"
#include "tar/pack.h"
#include "tar/unpack.h"

namespace orchion::node::files {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

enum class Users { kHosts, kOwn };

// A process in a mount namespace and a root folder of its own, as a container's first is.
class FakeContainer {
 public:
  explicit FakeContainer(const fs::path& root, Users users = Users::kHosts) {
    int ready[2];
    int mapped[2];
    EXPECT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(mapped, O_CLOEXEC), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      char byte = 0;
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (users == Users::kOwn && ::unshare(CLONE_NEWUSER) != 0) ::_exit(1);
      (void)!::write(ready[1], "r", 1);
      (void)!::read(mapped[0], &byte, 1);
      const bool in_place = ::unshare(CLONE_NEWNS) == 0 &&
                            ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                            ::chroot(root.c_str()) == 0 && ::chdir("/room") == 0;
      (void)!::write(ready[1], in_place ? "y" : "n", 1);
      while (true) ::pause();
    }
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    if (users == Users::kOwn) {
      for (const char* map : {"uid_map", "gid_map"})
        std::ofstream("/proc/" + std::to_string(pid_) + "/" + map) << "0 100000 1000\n";
    }
    EXPECT_EQ(::write(mapped[1], "m", 1), 1);
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    EXPECT_EQ(byte, 'y');
    for (const int fd : {ready[0], ready[1], mapped[0], mapped[1]}) ::close(fd);
  }
  ~FakeContainer() { end(); }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class FilesTest : public testing::Test {
 protected:
  FilesTest() : folder(fs::temp_directory_path() / ("orchion-files-" + base::Random::from_system().text(8))) {
    std::signal(SIGPIPE, SIG_IGN);
    for (const char* name : {"root/room", "root/etc", "here"}) fs::create_directories(folder / name);
  }
  ~FilesTest() override {
    fs::remove_all(folder);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a helper was left";
  }

  fs::path root() const { return folder / "root"; }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    boost::asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr thrown, base::Result<T> value) {
      if (thrown) std::rethrow_exception(thrown);
      result = std::move(value);
    });
    io.restart();
    io.run();
    return std::move(*result);
  }

  static base::Co<std::string> copy_out(pid_t pid, std::string path, bool follow_link) {
    CO_ASSIGN_OR_RETURN(auto process, open_process(pid));
    CO_ASSIGN_OR_RETURN(const auto copy,
                        co_await CopyOut::start(nullptr, std::move(process), std::move(path), follow_link));
    std::string archive;
    while (true) {
      CO_ASSIGN_OR_RETURN(const auto piece, co_await copy->read());
      if (!piece) co_return archive;
      archive += *piece;
    }
  }

  static base::Co<> copy_in(pid_t pid, std::string path, std::string archive) {
    CO_ASSIGN_OR_RETURN(auto process, open_process(pid));
    CO_ASSIGN_OR_RETURN(const auto copy, co_await CopyIn::start(nullptr, std::move(process), std::move(path)));
    CO_RETURN_IF_ERROR(co_await copy->write(std::move(archive)));
    co_return co_await copy->finish();
  }

  // Copies out and unpacks the archive in here().
  base::Result<> fetch(pid_t pid, const std::string& path, bool follow_link = false) {
    ASSIGN_OR_RETURN(const auto archive, run(copy_out(pid, path, follow_link)));
    write(folder / "archive.tar", archive);
    const base::UniqueFd in(::open((folder / "archive.tar").c_str(), O_RDONLY | O_CLOEXEC));
    const tar::TreeRoot into(base::UniqueFd(::open((folder / "here").c_str(), O_PATH | O_CLOEXEC)),
                             tar::TreeRoot::Links::kRefused);
    const auto as_named = [](const std::string&, bool) -> base::Result<tar::Place> { return tar::Place{}; };
    RETURN_IF_ERROR(tar::unpack(in.get(), into, as_named, {}));
    return {};
  }

  std::string archive_of(const fs::path& path, const std::string& top) {
    {
      const base::UniqueFd node(::open(path.c_str(), O_PATH | O_CLOEXEC));
      const base::UniqueFd out(::open((folder / "in.tar").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      EXPECT_TRUE(tar::pack(node, top, {}, out.get()).has_value());
    }
    return read(folder / "in.tar");
  }

  boost::asio::io_context io;
  const fs::path folder;
};

TEST_F(FilesTest, FilesAndFoldersComeOut) {
  write(root() / "etc/hosts", "127.0.0.1 here\n");
  const FakeContainer container(root());
  ASSERT_TRUE(fetch(container.pid(), "/etc").has_value());
  EXPECT_EQ(read(folder / "here/etc/hosts"), "127.0.0.1 here\n");
  ASSERT_TRUE(fetch(container.pid(), "/etc/hosts").has_value());
  EXPECT_EQ(read(folder / "here/hosts"), "127.0.0.1 here\n");
}

TEST_F(FilesTest, APathMayBeginAtTheWorkingFolder) {
  write(root() / "room/notes", "n");
  const FakeContainer container(root());
  // chroot(2) leaves the kernel's word on the working folder as the host sees it; a container's is in its own
  // namespace.
  ASSERT_TRUE(run(copy_in(container.pid(), "/room", archive_of(root() / "room/notes", "twin"))).has_value());
  EXPECT_EQ(read(root() / "room/twin"), "n");
}

TEST_F(FilesTest, NoLinkLeadsOutOfTheContainer) {
  write(folder / "secret", "the host's");
  write(root() / "secret", "the container's");
  fs::create_symlink((folder / "secret").string(), root() / "absolute");
  fs::create_symlink("../../../../../secret", root() / "climbing");
  fs::create_symlink("/", root() / "room/top");
  const FakeContainer container(root());
  EXPECT_EQ(fetch(container.pid(), "/absolute", true).error().code, base::Code::kNotFound);
  ASSERT_TRUE(fetch(container.pid(), "/climbing", true).has_value());
  EXPECT_EQ(read(folder / "here/climbing"), "the container's");
  ASSERT_TRUE(fetch(container.pid(), "/room/top/secret").has_value());
  EXPECT_EQ(read(folder / "here/secret"), "the container's");
  ASSERT_TRUE(run(copy_in(container.pid(), "/room/top/etc", archive_of(root() / "secret", "new"))).has_value());
  EXPECT_EQ(read(root() / "etc/new"), "the container's");
}

TEST_F(FilesTest, ALinkIsCopiedItselfUnlessFollowed) {
  write(root() / "etc/real", "x");
  fs::create_symlink("real", root() / "etc/link");
  const FakeContainer container(root());
  ASSERT_TRUE(fetch(container.pid(), "/etc/link").has_value());
  EXPECT_EQ(fs::read_symlink(folder / "here/link"), "real");
  ASSERT_TRUE(fetch(container.pid(), "/etc/link", true).has_value());
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(folder / "here/link")));
}

TEST_F(FilesTest, WhatIsNotThereIsSaidInASentence) {
  write(root() / "etc/file", "x");
  const FakeContainer container(root());
  const auto missing = fetch(container.pid(), "/nowhere/at/all");
  EXPECT_EQ(missing.error().code, base::Code::kNotFound);
  EXPECT_EQ(missing.error().message, "there is no /nowhere/at/all in the container");
  const auto archive = archive_of(root() / "etc/file", "f");
  const auto no_folder = run(copy_in(container.pid(), "/nowhere", archive));
  EXPECT_EQ(no_folder.error().code, base::Code::kNotFound);
  EXPECT_EQ(no_folder.error().message, "there is no folder /nowhere in the container: make it first");
  const auto file = run(copy_in(container.pid(), "/etc/file", archive));
  EXPECT_EQ(file.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(file.error().message, "/etc/file is no folder in the container");
}

TEST_F(FilesTest, OwnersAreThoseOfTheContainersUsers) {
  ASSERT_EQ(::chmod(folder.c_str(), 0711), 0);
  write(root() / "room/theirs", "x");
  ASSERT_EQ(::chown((root() / "room").c_str(), 100000, 100000), 0);
  ASSERT_EQ(::chown((root() / "room/theirs").c_str(), 100007, 100008), 0);
  write(root() / "room/ours", "x");
  ASSERT_EQ(::chmod((root() / "room/ours").c_str(), 0600), 0);
  write(folder / "file", "new");
  ASSERT_EQ(::chown((folder / "file").c_str(), 33, 34), 0);
  const FakeContainer container(root(), Users::kOwn);
  ASSERT_TRUE(fetch(container.pid(), "/room/theirs").has_value());
  struct stat info{};
  ASSERT_EQ(::stat((folder / "here/theirs").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 7u);
  EXPECT_EQ(info.st_gid, 8u);
  const auto copied = run(copy_in(container.pid(), "/room", archive_of(folder / "file", "file")));
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  ASSERT_EQ(::stat((root() / "room/file").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 100033u);
  EXPECT_EQ(info.st_gid, 100034u);
  EXPECT_EQ(fetch(container.pid(), "/room/ours").error().code, base::Code::kPermissionDenied)
      << "what isn't the container's root's to read";
}

TEST_F(FilesTest, AnEndedProcessIsNeverEntered) {
  FakeContainer container(root());
  auto process = open_process(container.pid());
  ASSERT_TRUE(process.has_value());
  container.end();
  auto copy = run(CopyOut::start(nullptr, std::move(*process), "/", false));
  ASSERT_TRUE(copy.has_value());
  const auto read = run((*copy)->read());
  EXPECT_EQ(read.error().code, base::Code::kFailedPrecondition) << read.error().message;
  EXPECT_THAT(read.error().message, HasSubstr("has just ended"));
}

TEST_F(FilesTest, AnInterruptedCopyLeavesNoProcess) {
  const base::UniqueFd big(::open((root() / "room/big").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::posix_fallocate(big.get(), 0, 8 << 20), 0);
  const FakeContainer container(root());
  const auto helpers = [&] {
    return *base::run_process({.arguments = {"pgrep", "-P", std::to_string(::getpid()), "orchion-files"}});
  };
  {
    auto copy = run(CopyOut::start(nullptr, *open_process(container.pid()), "/room", false));
    ASSERT_TRUE(copy.has_value());
    ASSERT_TRUE(run((*copy)->read()).has_value());
    auto second = run(CopyIn::start(nullptr, *open_process(container.pid()), "/room"));
    ASSERT_TRUE(run((*second)->write(std::string(1024, 'x'))).has_value());
  }
  EXPECT_THAT(helpers().standard_output, IsEmpty());
}

TEST_F(FilesTest, WhatIsNoArchiveEndsTheCopy) {
  const FakeContainer container(root());
  const auto copied = run(copy_in(container.pid(), "/room", std::string(4 << 20, 'x')));
  EXPECT_EQ(copied.error().code, base::Code::kInvalidArgument) << copied.error().message;
}

}  // namespace
}  // namespace orchion::node::files
