#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace orchion::cli {

// Several archives of an image each, as the server sends them, become one that has them all: what they share is in it
// once. Pure: bytes in, bytes out.
class ArchiveMerge {
 public:
  // The bytes to write for these. kDataLoss: it is no tar.
  base::Result<std::string> pass(std::string_view piece);

  // The archive that was passed is over. kDataLoss: it was cut off.
  base::Result<> end_one();

  // The lists of images, and the end.
  base::Result<std::string> finish();

 private:
  enum class Fate { kPass, kSkip, kKeep };

  base::Result<std::string> take_header();
  std::string take_content(std::string_view& piece);

  std::string header_;
  std::string extension_;  // headers that say more about the next entry
  bool extends_ = false;   // the content belongs to them
  Fate fate_ = Fate::kPass;
  std::string* kept_ = nullptr;
  std::int64_t content_ = 0;
  std::int64_t padding_ = 0;
  bool ended_ = false;
  std::set<std::string> seen_;
  // Of "index.json" and "manifest.json": the first one's header, and the content of each.
  struct Document {
    std::string header;
    std::vector<std::string> texts;
  };
  std::map<std::string, Document> documents_;
};

}  // namespace orchion::cli
