#pragma once

// Files of this machine as an archive that is sent, and an archive that is received as files of this machine.

#include <memory>
#include <string>

#include "base/co.h"
#include "tar/pack.h"
#include "tar/unpack.h"
#include "wire/http.h"

namespace orchion::cli {

// What `node` is as a tar, in pieces, packed on a thread of its own. Where packing fails the reader gets that error.
std::shared_ptr<wire::BodyReader> pack_files(base::Executor executor, base::UniqueFd node, std::string top,
                                             tar::PackOptions options);

// Where something copied here goes.
class LocalTarget {
 public:
  // As cp(1): into a folder that is there, under its own name; else it is called `path`. kNotFound: there is no folder
  // that it could be in.
  static base::Result<LocalTarget> find(const std::string& path);

  // kFailedPrecondition: a folder can't take the place of a file; a name with a slash at its end wants a folder.
  base::Result<tar::Place> place(const std::string& top, bool is_folder) const;

  const std::string& folder() const { return folder_; }

 private:
  std::string path_;
  std::string folder_;
  std::string name_;  // empty: what comes keeps its own
  bool is_file_ = false;
};

// Unpacks what `body` gives, so that nothing lies outside the target's folder.
base::Co<tar::Unpacked> unpack_files(std::shared_ptr<wire::BodyReader> body, LocalTarget target,
                                     tar::UnpackOptions options);

}  // namespace orchion::cli
