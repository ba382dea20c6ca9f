#include "node/runtimes/attach/attach_input.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "node/runtimes/conformance/busybox_root.h"
#include "node/shim/input_pipe.h"

namespace orchion::node::runtimes::attach {
namespace {

class PipeInputTest : public testing::Test {
 protected:
  PipeInputTest() {
    EXPECT_EQ(shim::make_input_fifos(directory_.get()), 0);
    EXPECT_EQ(holder_.open(directory_.get()), 0);
    reader_.reset(std::exchange(holder_.reader, -1));
  }
  ~PipeInputTest() override { holder_.close(); }

  base::Result<> run(base::Co<> coroutine) {
    std::optional<base::Result<>> result;
    boost::asio::co_spawn(io_, std::move(coroutine), [&](std::exception_ptr, base::Result<> r) { result = r; });
    io_.restart();
    while (!result) io_.run_one();
    return *result;
  }

  // As much as one read gives; blocks.
  std::string read() {
    char buffer[100];
    const auto n = ::read(reader_.get(), buffer, sizeof buffer);
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(n, 0))};
  }

  TestFolder folder_;
  base::UniqueFd directory_{::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  shim::InputHolder holder_;
  base::UniqueFd reader_;
  boost::asio::io_context io_;
};

TEST_F(PipeInputTest, EndsForAllOnceTheHolderIsTold) {
  const auto first = open_pipe_input(io_.get_executor(), folder_.path());
  const auto second = open_pipe_input(io_.get_executor(), folder_.path());
  ASSERT_TRUE(run(first->write("one ")).has_value());
  ASSERT_TRUE(run(second->write("two")).has_value());
  EXPECT_EQ(read(), "one two");
  ASSERT_TRUE(run(first->write("last")).has_value());
  pollfd told{holder_.end, POLLIN, 0};
  EXPECT_EQ(::poll(&told, 1, 0), 0);
  ASSERT_TRUE(run(first->end()).has_value());
  EXPECT_EQ(::poll(&told, 1, 0), 1);
  holder_.close();
  EXPECT_EQ(read(), "last") << "what was written is still read";
  EXPECT_EQ(read(), "");
  EXPECT_TRUE(run(second->write("too late")).has_value());
  EXPECT_TRUE(run(second->end()).has_value());
  EXPECT_EQ(read(), "") << "and it does not open again";
}

TEST_F(PipeInputTest, IsDroppedWhereNobodyReads) {
  const auto input = open_pipe_input(io_.get_executor(), folder_.path());
  reader_.reset();
  EXPECT_TRUE(run(input->write("hello")).has_value());
  holder_.close();
  EXPECT_TRUE(end_pipe_input(folder_.path()).has_value());
  EXPECT_TRUE(end_pipe_input(folder_.path()).has_value());
}

TEST_F(PipeInputTest, ANewAttemptHasANewInput) {
  const auto input = open_pipe_input(io_.get_executor(), folder_.path());
  ASSERT_TRUE(run(input->write("for the old")).has_value());
  holder_.close();
  ASSERT_EQ(shim::make_input_fifos(directory_.get()), 0);
  ASSERT_EQ(holder_.open(directory_.get()), 0);
  reader_.reset(std::exchange(holder_.reader, -1));
  ASSERT_TRUE(run(input->write("for the new")).has_value());
  EXPECT_EQ(read(), "for the new");
}

}  // namespace
}  // namespace orchion::node::runtimes::attach
