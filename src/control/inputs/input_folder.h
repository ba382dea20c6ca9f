#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/co.h"
#include "base/file.h"
#include "base/worker_pool.h"

namespace orchion::control::inputs {

struct KeptInput {
  std::string digest;  // "sha256:…", of its bytes
  std::int64_t bytes = 0;
};

// One on its way in. Destroying it before finish() leaves nothing. One executor, one writer.
class InputUpload {
 public:
  struct State;
  InputUpload(base::WorkerPool& workers, std::shared_ptr<State> state);
  ~InputUpload();
  InputUpload(const InputUpload&) = delete;
  InputUpload& operator=(const InputUpload&) = delete;

  base::Co<> write(std::string bytes);

  // Once: returns when it is durable under its digest.
  base::Co<KeptInput> finish();

 private:
  base::WorkerPool& workers_;
  std::shared_ptr<State> state_;
};

// One executor. Files are "FOLDER/HEX.tar", whole where they have that name. Digests that are given to it must be ones
// (core::is_input_digest); `workers` outlives it.
class InputFolder {
 public:
  InputFolder(std::filesystem::path folder, base::WorkerPool& workers);

  // The folder is made with the first.
  base::Co<std::unique_ptr<InputUpload>> begin();

  // Whether it is there; from now on it stays for kIdleTime though nobody refers to it.
  base::Co<bool> touch(std::string digest);

  // To be read from its beginning; kNotFound where it isn't there.
  base::Co<std::shared_ptr<const base::UniqueFd>> open(std::string digest);

  // The next bytes; empty: its end.
  base::Co<std::string> read(std::shared_ptr<const base::UniqueFd> file);

  // Removes what isn't among `used` and was last wanted more than kIdleTime before `now`.
  base::Co<> sweep(std::set<std::string> used, base::WallTime now);

 private:
  std::filesystem::path file_of(const std::string& digest) const;

  std::filesystem::path folder_;
  base::WorkerPool& workers_;
  // So that nothing is swept between being found and being marked as wanted.
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
};

constexpr base::Duration kIdleTime = std::chrono::hours(1);

}  // namespace orchion::control::inputs
