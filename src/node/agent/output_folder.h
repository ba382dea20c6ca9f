#pragma once

// What tasks of jobs left behind: a file for each output, kept as long as its task.

#include <filesystem>
#include <set>
#include <string>

#include <google/protobuf/repeated_ptr_field.h>

#include "base/file.h"
#include "base/worker_pool.h"
#include "node/runtimes/runtime.h"
#include "v1/specs.pb.h"

namespace orchion::node::agent {

// Of each output.
constexpr std::int64_t kOutputBytesMax = std::int64_t{4} << 30;

// One executor. Files are "FOLDER/TASK-UID/NAME.tar"; they are whole where they have that name.
class OutputFolder {
 public:
  // `workers` may be null.
  OutputFolder(std::filesystem::path folder, base::WorkerPool* workers)
      : folder_(std::move(folder)), workers_(workers) {}

  // Takes them out of the task's ended container. kNotFound names the first that is missing and isn't optional; the
  // others are kept all the same.
  base::Co<> keep(runtimes::Runtime* runtime, std::string task_uid,
                  google::protobuf::RepeatedPtrField<v1::JobArtifact> outputs);

  // kNotFound: there is none, or it was too large.
  base::Result<base::UniqueFd> open(const std::string& task_uid, const std::string& name) const;

  base::Co<> remove(std::string task_uid);

 private:
  base::Co<> keep_one(runtimes::Runtime* runtime, std::string task_uid, v1::JobArtifact output);
  std::filesystem::path file_of(const std::string& task_uid, const std::string& name) const {
    return folder_ / task_uid / (name + ".tar");
  }

  std::filesystem::path folder_;
  base::WorkerPool* workers_;
};

}  // namespace orchion::node::agent
