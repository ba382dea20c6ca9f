#include "control/inputs/input_folder.h"

#include <sys/stat.h>

#include <cstdlib>
#include <optional>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace orchion::control::inputs {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;

// `printf abc | sha256sum`
constexpr const char* kOfAbc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class InputFolderTest : public testing::Test {
 protected:
  InputFolderTest() {
    std::string name = (fs::temp_directory_path() / "inputs-XXXXXX").native();
    place_ = ::mkdtemp(name.data());
    inputs_ = std::make_unique<InputFolder>(place_ / "inputs", workers_);
  }
  ~InputFolderTest() override { fs::remove_all(place_); }

  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> outcome;
    boost::asio::io_context io;
    const auto guard = boost::asio::make_work_guard(io);
    boost::asio::co_spawn(io, std::move(coroutine), [&outcome](std::exception_ptr thrown, base::Result<T> result) {
      EXPECT_FALSE(thrown);
      outcome = std::move(result);
    });
    while (!outcome) io.run_one();
    return std::move(*outcome);
  }

  std::unique_ptr<InputUpload> begin(const std::string& bytes) {
    auto upload = run(inputs_->begin());
    EXPECT_TRUE(upload);
    EXPECT_TRUE(run((*upload)->write(bytes)));
    return std::move(*upload);
  }
  std::string keep(const std::string& bytes) {
    const auto kept = run(begin(bytes)->finish());
    EXPECT_TRUE(kept);
    return kept ? kept->digest : "";
  }
  std::string read(const std::string& digest) {
    const auto file = run(inputs_->open(digest));
    if (!file) return file.error().message;
    std::string text;
    while (true) {
      const auto piece = run(inputs_->read(*file));
      EXPECT_TRUE(piece);
      if (!piece || piece->empty()) return text;
      text += *piece;
    }
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(place_ / "inputs"), fs::directory_iterator()));
  }
  void sweep(std::set<std::string> used, base::Duration later) {
    EXPECT_TRUE(run(inputs_->sweep(std::move(used), base::SystemClock().wall() + later)));
  }

  fs::path place_;
  base::WorkerPool workers_{1};
  std::unique_ptr<InputFolder> inputs_;
};

TEST_F(InputFolderTest, KeepsWhatItIsGivenByItsDigest) {
  EXPECT_EQ(keep("abc"), kOfAbc);
  EXPECT_EQ(read(kOfAbc), "abc");
  EXPECT_EQ(keep("abc"), kOfAbc);
  EXPECT_EQ(files(), 1u) << "the same once";
  struct stat info{};
  EXPECT_EQ(::stat((place_ / "inputs").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(InputFolderTest, InPiecesOfAnySize) {
  auto upload = begin("a");
  EXPECT_TRUE(run(upload->write("")));
  EXPECT_TRUE(run(upload->write("bc")));
  const auto kept = run(upload->finish());
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->digest, kOfAbc);
  EXPECT_EQ(kept->bytes, 3);
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(read(keep(large)), large);
}

TEST_F(InputFolderTest, WhatIsBrokenOffLeavesNothing) {
  auto upload = begin("abc");
  EXPECT_EQ(files(), 1u);
  upload.reset();
  EXPECT_EQ(files(), 0u);
  EXPECT_TRUE(read(kOfAbc).find("give it again") != std::string::npos);
}

TEST_F(InputFolderTest, WhatNobodyRefersToGoesAfterAnHour) {
  keep("abc");
  const auto other = keep("other");
  const auto part = begin("half");
  sweep({kOfAbc}, minutes(59));
  EXPECT_EQ(files(), 3u);
  sweep({kOfAbc}, minutes(61));
  EXPECT_EQ(files(), 1u) << "what nobody finished too";
  EXPECT_EQ(read(kOfAbc), "abc");
  EXPECT_FALSE(run(inputs_->touch(other)).value());
}

TEST_F(InputFolderTest, WhatIsWantedAgainStays) {
  keep("abc");
  const timespec old[2] = {{0, 0}, {0, 0}};
  const auto file = place_ / "inputs" / (std::string(kOfAbc).substr(7) + ".tar");
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), old, 0), 0);
  EXPECT_TRUE(run(inputs_->touch(kOfAbc)).value());
  sweep({}, minutes(1));
  EXPECT_EQ(files(), 1u);
}

TEST_F(InputFolderTest, NothingToSweepIsNoError) {
  sweep({}, minutes(100));
  EXPECT_FALSE(fs::exists(place_ / "inputs"));
}

}  // namespace
}  // namespace orchion::control::inputs
