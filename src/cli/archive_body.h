#pragma once

#include <memory>
#include <string>

#include "base/co.h"
#include "wire/http.h"

namespace orchion::cli {

// How much of an archive has gone to the server.
struct Sent {
  std::int64_t bytes = 0;
  std::int64_t total = 0;  // 0: not known
  bool all = false;
};

// A file, or standard input where it is called "-", in pieces; `sent` is kept up to date. What comes slowly, through a
// pipe, leaves the loop to others meanwhile.
base::Result<std::shared_ptr<wire::BodyReader>> open_archive(base::Executor executor, const std::string& file,
                                                             std::shared_ptr<Sent> sent);

// What comes, to standard output.
base::Co<> print_body(std::shared_ptr<wire::BodyReader> body);

}  // namespace orchion::cli
