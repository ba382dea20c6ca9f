#pragma once

// Lists as they were last printed. Whoever polls asks for the same list again and again, and between two commits it
// is the same to the byte.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

namespace orchion::control::serving {

// Where a list stands, as its field `revision` says it ("epoch.revision"); empty: the message is no list.
std::string bookmark_of(const google::protobuf::Message& message);

// One executor. Every caller that may call a method at all is given the same answer, so the target is key enough.
class AnswerCache {
 public:
  struct Answer {
    std::string bookmark;
    std::string body;
  };

  explicit AnswerCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // nullptr where there is none.
  std::shared_ptr<const Answer> find(std::string_view target) const;
  // Answers beyond a quarter of the limit are not kept; where the limit is reached all go, and come again as they are
  // asked for.
  void put(const std::string& target, Answer answer);

 private:
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::shared_ptr<const Answer>, std::less<>> answers_;
};

}  // namespace orchion::control::serving
