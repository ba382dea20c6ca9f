#pragma once

// What every runtime must do, as one body of tests. A runtime joins by instantiating it in its own test:
//   INSTANTIATE_TEST_SUITE_P(Crun, RuntimeConformance, testing::Values(make_crun_factory));
// The commands are a busybox shell's; a runtime that only imitates them understands "exit N", "sleep N", "echo TEXT"
// and "cat".

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "base/random.h"
#include "base/worker_pool.h"
#include "node/runtimes/runtime.h"

namespace orchion::node::runtimes {

// Runtimes of one kind over one machine. Owns what the machine needs beside and cleans it up.
class RuntimeFactory {
 public:
  virtual ~RuntimeFactory() = default;

  // Another instance sees what earlier ones made.
  virtual std::unique_ptr<Runtime> open(base::Executor executor, base::WorkerPool& pool) = 0;

  // Layers with a busybox shell.
  virtual std::vector<std::filesystem::path> layers() = 0;

  // What a container of this kind needs that commands don't say; by default the layers.
  virtual void fill(ContainerConfig& config) { config.layers = layers(); }

  // What runs has a root file system and a host name of its own.
  virtual bool contained() const { return true; }

  // Real processes: output, limits and files can be seen.
  virtual bool real() const = 0;
};

using MakeRuntimeFactory = std::function<std::unique_ptr<RuntimeFactory>()>;

// One piece of captured output.
struct OutputRecord {
  bool error = false;
  int attempt = 0;
  std::string text;
};

// Every whole record below a log folder, oldest first.
std::vector<OutputRecord> read_segments(const std::filesystem::path& folder);

// The payloads of one attempt (0: of all), joined.
std::string joined_output(const std::vector<OutputRecord>& records, bool error, int attempt = 0);

// A runtime and the loop it belongs to; also for what only one kind of runtime can do.
class RuntimeTest : public testing::Test {
 public:
  struct ExecResult {
    std::string out;
    std::string error;
    int exit_code = -1;  // where none came
  };

 protected:
  explicit RuntimeTest(std::unique_ptr<RuntimeFactory> factory);
  ~RuntimeTest() override;

  Runtime& runtime() { return *runtime_; }

  // As the agent does after its own end, when the calls of before have ended too.
  void reopen() {
    io_.poll();
    runtime_ = factory_->open(io_.get_executor(), pool_);
  }

  // Runs the loop until the coroutine is done.
  template <class T>
  base::Result<T> run(base::Co<T> coroutine) {
    std::optional<base::Result<T>> result;
    std::exception_ptr thrown;
    boost::asio::co_spawn(io_, std::move(coroutine), [&](std::exception_ptr e, base::Result<T> r) {
      thrown = e;
      result = std::move(r);
    });
    while (!result) io_.run_one();
    if (thrown) std::rethrow_exception(thrown);
    return *std::move(result);
  }

  // A container that runs this shell script; removed at the test's end.
  ContainerConfig shell(std::string script);
  ContainerConfig command(std::vector<std::string> arguments);

  // Prepares and starts it; a failure fails the test.
  ContainerInfo start(const ContainerConfig& config, std::uint32_t attempt = 1);
  ExitStatus wait(const std::string& id);
  std::string output(const std::string& id, int attempt = 0);

  // Runs a whole exec, and joins what it said.
  ExecResult exec(const std::string& id, ExecConfig config, std::vector<ExecInput> inputs = {});

  using AttachedStream = base::Stream<ExecOutput, ExecInput>;
  std::unique_ptr<AttachedStream> attach(const std::string& id, AttachConfig config = {});
  // What comes until `out` has this text; to the end where that is empty.
  ExecResult hear(AttachedStream& stream, std::string until = "");
  void say(AttachedStream& stream, std::vector<ExecInput> inputs);
  // As shell(), with an input that stays open.
  ContainerConfig open_shell(std::string script);

  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  base::WorkerPool pool_{2};
  base::Random random_ = base::Random::from_system();
  std::unique_ptr<RuntimeFactory> factory_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<std::string> ids_;
};

class RuntimeConformance : public RuntimeTest, public testing::WithParamInterface<MakeRuntimeFactory> {
 protected:
  RuntimeConformance() : RuntimeTest(GetParam()()) {}

  void SetUp() override {
    if (!factory_) GTEST_SKIP() << "what this runtime needs is not installed here";
  }

  // False where the runtime says that it lacks the feature (a name of features.h). Then it has been seen to refuse
  // `config`, which asks for it, and the test is done.
  bool offers(std::string_view feature, const ContainerConfig& config);

  // The output of the container, run to its end.
  std::string said_by(const ContainerConfig& config);
};

// Properties of a test's result.
inline constexpr const char* kLacks = "lacks";
inline constexpr const char* kLacksHere = "lacks_here";

}  // namespace orchion::node::runtimes
