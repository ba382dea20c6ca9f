#include "wire/http.h"

#include <algorithm>

namespace orchion::wire {

namespace {

// A field's value cannot hold a line break; data may, as several lines.
std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c == '\n' || c == '\r' || c == '\0') c = ' ';
  }
  return out;
}

// Where the first line of `text` ends: at "\r", "\n" or its end.
std::size_t end_of_line(std::string_view text) {
  const auto line = text.substr(0, text.find('\n'));
  return std::min(line.find('\r'), line.size());
}

// A line break of any kind in `data` begins a new "data:" line; the reader joins them by "\n".
void append_data(std::string_view data, std::string& out) {
  while (true) {
    const auto end = end_of_line(data);
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == data.size()) return;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
}

}  // namespace

std::string format_event(const ServerSentEvent& event) {
  std::string out;
  out.reserve(event.data.size() + event.id.size() + event.event.size() + 32);
  if (!event.id.empty()) out += "id: " + one_line(event.id) + "\n";
  if (!event.event.empty()) out += "event: " + one_line(event.event) + "\n";
  append_data(event.data, out);
  out += '\n';
  return out;
}

void EventParser::take_line(std::vector<ServerSentEvent>& events) {
  const std::string whole = std::exchange(line_, {});
  std::string_view line = whole;
  if (line.empty()) {
    if (any_) {
      if (!event_.data.empty()) event_.data.pop_back();  // the last line's "\n"
      event_.id = last_id_;
      events.push_back(std::move(event_));
    }
    event_ = {};
    any_ = false;
    return;
  }
  const auto name = line.substr(0, line.find(':'));
  line.remove_prefix(std::min(name.size() + 1, line.size()));
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (name == "data") {
    event_.data.append(line).push_back('\n');
    any_ = true;
  } else if (name == "event") {
    event_.event = line;
  } else if (name == "id" && line.find('\0') == std::string::npos) {
    last_id_ = line;
  }
}

std::vector<ServerSentEvent> EventParser::feed(std::string_view bytes) {
  std::vector<ServerSentEvent> events;
  while (!bytes.empty()) {
    if (std::exchange(last_was_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const auto end = end_of_line(bytes);
    line_ += bytes.substr(0, end);
    if (end == bytes.size()) break;
    last_was_cr_ = bytes[end] == '\r';
    take_line(events);
    bytes.remove_prefix(end + 1);
  }
  return events;
}

}  // namespace orchion::wire
