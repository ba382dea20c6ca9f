#include "control/serving/answer_cache.h"

#include <google/protobuf/descriptor.h>

namespace orchion::control::serving {

namespace pb = google::protobuf;

std::string bookmark_of(const pb::Message& message) {
  const auto* field = message.GetDescriptor()->FindFieldByName("revision");
  if (field == nullptr || field->cpp_type() != pb::FieldDescriptor::CPPTYPE_STRING || field->is_repeated()) return {};
  return message.GetReflection()->GetString(message, field);
}

std::shared_ptr<const AnswerCache::Answer> AnswerCache::find(std::string_view target) const {
  const auto found = answers_.find(target);
  return found == answers_.end() ? nullptr : found->second;
}

void AnswerCache::put(const std::string& target, Answer answer) {
  const std::size_t bytes = target.size() + answer.body.size();
  if (const auto old = answers_.find(target); old != answers_.end()) {
    bytes_ -= target.size() + old->second->body.size();
    answers_.erase(old);
  }
  if (bytes > bytes_max_ / 4) return;
  if (bytes_ + bytes > bytes_max_) {
    answers_.clear();
    bytes_ = 0;
  }
  bytes_ += bytes;
  answers_.emplace(target, std::make_shared<const Answer>(std::move(answer)));
}

}  // namespace orchion::control::serving
