#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/co.h"
#include "node/files/process.h"

namespace orchion::base {
class WorkerPool;
}

namespace orchion::node::files {

class Helper;

// An archive of a container's file or folder, on its way out. Destroying it ends the copy. One executor, one reader.
class CopyOut {
 public:
  // `path`: absolute, or from the folder the container's first process is in. `workers` may be null: then it blocks for
  // a moment.
  static base::Co<std::unique_ptr<CopyOut>> start(base::WorkerPool* workers, Process process, std::string path,
                                                  bool follow_link);
  explicit CopyOut(std::unique_ptr<Helper> helper);
  ~CopyOut();

  // The next bytes of a tar whose only top entry is called as the path's end; nullopt: its end. kNotFound: there is no
  // such path. Nothing more is read after an error.
  base::Co<std::optional<std::string>> read();

 private:
  std::unique_ptr<Helper> helper_;
};

// An archive that is being unpacked in a folder of a container. Destroying it before finish() ends it there: what is
// unpacked stays. One executor, one writer.
class CopyIn {
 public:
  // `path`: as CopyOut's, of a folder.
  static base::Co<std::unique_ptr<CopyIn>> start(base::WorkerPool* workers, Process process, std::string path);
  explicit CopyIn(std::unique_ptr<Helper> helper);
  ~CopyIn();

  // The next bytes of a tar, plain or packed by gzip or zstd. kNotFound: there is no such folder. An error says why it
  // ended; nothing more is written then.
  base::Co<> write(std::string bytes);

  // That was all: returns when everything is in its place.
  base::Co<> finish();

 private:
  std::unique_ptr<Helper> helper_;
};

}  // namespace orchion::node::files
