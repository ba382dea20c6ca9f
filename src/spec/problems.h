#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "spec/node.h"

namespace orchion::spec {

// Everything that is wrong with a set of files, so that the user hears it all at once.
class Problems {
 public:
  void add(const Position& at, std::string sentence);
  bool empty() const { return problems_.empty(); }

  // kInvalidArgument; one line a problem, in the order of the files' lines.
  base::Error error() const;

  // The error, or nothing.
  base::Result<> result() const;

 private:
  struct Problem {
    Position at;
    std::string sentence;
  };
  std::vector<Problem> problems_;
};

}  // namespace orchion::spec
