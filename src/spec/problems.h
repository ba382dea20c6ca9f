#pragma once

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "spec/node.h"

namespace orchion::spec {

// Everything that is wrong with a set of files, so that the user hears it all at once.
class Problems {
 public:
  void add(const Position& at, std::string sentence);

  // The same where what stands there means nothing any more: later problems of the very place would only be echoes.
  void add_final(const Position& at, std::string sentence);

  void add_all(Problems others);

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
  // The file's own name object tells one reading of a file from another.
  using Place = std::tuple<const std::string*, int, int>;
  static Place place(const Position& at) { return {at.file.get(), at.line, at.column}; }

  std::vector<Problem> problems_;
  std::set<Place> settled_;
};

}  // namespace orchion::spec
